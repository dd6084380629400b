// A convolution as a product of matrices: the patch of inputs that an output sees is a row of [windowHeight, windowWidth, channels], 0 beyond the edges.
import { copyBytes } from './copy-bytes';
import { loadLanes, storeLanes } from './math';

/** The place that the first tap of an output reads; it may lie outside. */
// @ts-ignore: decorator
@inline
function placeOf(place: i32, stride: i32, before: i32): i32 {
  return place * stride - before;
}

/**
 * Writes the patches of outputs [begin, end), counted over [batch, outHeight, outWidth], to consecutive rows of `patches`; or, if `adds`, adds such
 * rows to `x`, in order.
 */
export function movePatches(
  x: usize, patches: usize, begin: i32, end: i32, height: i32, width: i32, channels: i32, outHeight: i32, outWidth: i32,
  windowHeight: i32, windowWidth: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32, top: i32, left: i32, adds: bool,
): void {
  const pixel = <usize>channels << 2;
  for (let p = begin; p < end; p++) {
    const image = x + pixel * (p / (outHeight * outWidth)) * height * width;
    const firstY = placeOf((p / outWidth) % outHeight, strideY, top);
    const firstX = placeOf(p % outWidth, strideX, left);
    for (let ky = 0; ky < windowHeight; ky++) {
      const y = firstY + ky * dilationY;
      const isRow = y >= 0 && y < height;
      for (let kx = 0; kx < windowWidth; kx++) {
        const column = firstX + kx * dilationX;
        const isInside = isRow && column >= 0 && column < width;
        const source = image + pixel * (y * width + column);
        if (adds) {
          if (isInside) addLine(source, patches, channels);
        } else if (isInside) {
          copyBytes(patches, source, pixel);
        } else {
          memory.fill(patches, 0, pixel);
        }
        patches += pixel;
      }
    }
  }
}

/** to += from */
// @ts-ignore: decorator
@inline
export function addLine(to: usize, from: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i << 2;
    const lanes = count - i;
    storeLanes(to + at, f32x4.add(loadLanes(to + at, lanes), loadLanes(from + at, lanes)), lanes);
  }
}
