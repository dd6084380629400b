import type { ShapedValues } from '@mixfold/testing';

/** A convolution over [batch, height, width, channels]; the filter is [height, width, channels, outputs or, depthwise, outputs per channel]. */
export interface ConvSizes {
  readonly x: readonly [number, number, number, number];
  readonly filter: readonly [number, number, number, number];
  readonly outHeight: number;
  readonly outWidth: number;
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly top: number;
  readonly left: number;
  readonly depthwise: boolean;
}

/** Every product of a convolution: the places of its input, its weight and its output. */
function eachProduct(sizes: ConvSizes, visit: (x: number, weight: number, y: number) => void): void {
  const [batch, height, width, channels] = sizes.x;
  const [windowHeight, windowWidth, , outputs] = sizes.filter;
  const outChannels = sizes.depthwise ? channels * outputs : outputs;
  for (let b = 0; b < batch; b++) {
    for (let oy = 0; oy < sizes.outHeight; oy++) {
      for (let ox = 0; ox < sizes.outWidth; ox++) {
        for (let ky = 0; ky < windowHeight; ky++) {
          for (let kx = 0; kx < windowWidth; kx++) {
            const y = oy * sizes.strides[0] - sizes.top + ky * sizes.dilations[0];
            const x = ox * sizes.strides[1] - sizes.left + kx * sizes.dilations[1];
            if (y < 0 || y >= height || x < 0 || x >= width) continue;
            for (let c = 0; c < channels; c++) {
              for (let o = 0; o < outputs; o++) {
                const output =
                  ((b * sizes.outHeight + oy) * sizes.outWidth + ox) * outChannels + (sizes.depthwise ? c * outputs + o : o);
                visit(
                  ((b * height + y) * width + x) * channels + c,
                  ((ky * windowWidth + kx) * channels + c) * outputs + o,
                  output,
                );
              }
            }
          }
        }
      }
    }
  }
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** The gradients of both arguments in float64. */
export function convGradientReference(sizes: ConvSizes, x: ShapedValues, filter: ShapedValues, dy: ShapedValues) {
  const dX = { shape: sizes.x, data: new Float64Array(sizeOf(sizes.x)) };
  const dFilter = { shape: sizes.filter, data: new Float64Array(sizeOf(sizes.filter)) };
  eachProduct(sizes, (place, weight, output) => {
    dX.data[place]! += filter.data[weight]! * dy.data[output]!;
    dFilter.data[weight]! += x.data[place]! * dy.data[output]!;
  });
  return { dX, dFilter };
}
