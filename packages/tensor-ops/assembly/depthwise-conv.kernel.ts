// Depthwise cross-correlation over [batch, height, width, dim], and the gradient of its kernel; one dimension is a height of 1. The gradient of x is a
// cross-correlation too, with the taps in reverse.
import { addTapGradients, convolveLine } from './taps';

/**
 * `reverse` takes the taps from the last to the first; the centers are those of the order in which they are taken. `table` has room for two
 * integers per tap.
 */
export function depthwise(
  x: usize,
  kernel: usize,
  output: usize,
  table: usize,
  batch: i32,
  height: i32,
  width: i32,
  dim: i32,
  windowHeight: i32,
  windowWidth: i32,
  centerY: i32,
  centerX: i32,
  dilation: i32,
  reverse: bool,
): void {
  const row = <usize>dim << 2;
  for (let line: i32 = 0; line < batch * height; line++) {
    const y = line % height;
    const to = output + row * (line * width);
    // What the first tap of the first output would read, were it inside.
    const from = x + row * ((line - dilation * centerY) * width - dilation * centerX);
    convolveLine(
      from,
      kernel,
      to,
      table,
      y,
      0,
      width,
      height,
      width,
      dim,
      windowHeight,
      windowWidth,
      centerY,
      centerX,
      dilation,
      reverse,
    );
  }
}

/** `scratch` is as large as the kernel. */
export function depthwiseKernelGradient(
  x: usize,
  dOutput: usize,
  dKernel: usize,
  scratch: usize,
  batch: i32,
  height: i32,
  width: i32,
  dim: i32,
  windowHeight: i32,
  windowWidth: i32,
  centerY: i32,
  centerX: i32,
  dilation: i32,
): void {
  const row = <usize>dim << 2;
  const bytes = row * (windowHeight * windowWidth);
  memory.fill(dKernel, 0, bytes);
  memory.fill(scratch, 0, bytes);
  for (let line: i32 = 0; line < batch * height; line++) {
    const place = row * (line * width);
    addTapGradients(
      x + place,
      dOutput + place,
      dKernel,
      scratch,
      line % height,
      0,
      width,
      height,
      width,
      dim,
      windowHeight,
      windowWidth,
      centerY,
      centerX,
      dilation,
    );
  }
}
