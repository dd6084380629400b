import type { ConvGeometry } from './geometry';

/** Calls `visit` with the flat places of output, input and tap of every product. */
function forEachProduct(geometry: ConvGeometry, visit: (output: number, input: number, tap: number) => void): void {
  const { batch, height, width, dim, windowHeight, windowWidth, centerY, centerX, dilation } = geometry;
  for (let b = 0; b < batch; b++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let ky = 0; ky < windowHeight; ky++) {
          for (let kx = 0; kx < windowWidth; kx++) {
            const [row, column] = [y + dilation * (ky - centerY), x + dilation * (kx - centerX)];
            if (row < 0 || row >= height || column < 0 || column >= width) continue;
            const output = ((b * height + y) * width + x) * dim;
            const input = ((b * height + row) * width + column) * dim;
            for (let c = 0; c < dim; c++) visit(output + c, input + c, (ky * windowWidth + kx) * dim + c);
          }
        }
      }
    }
  }
}

/** Depthwise cross-correlation, and its gradients where a cotangent is given. */
export function depthwiseReference(
  geometry: ConvGeometry,
  x: ArrayLike<number>,
  kernel: ArrayLike<number>,
  cotangent: ArrayLike<number> = new Float64Array(x.length),
): { output: Float64Array; dX: Float64Array; dKernel: Float64Array } {
  const [output, dX, dKernel] = [new Float64Array(x.length), new Float64Array(x.length), new Float64Array(kernel.length)];
  forEachProduct(geometry, (o, i, tap) => {
    output[o]! += x[i]! * kernel[tap]!;
    dX[i]! += cotangent[o]! * kernel[tap]!;
    dKernel[tap]! += cotangent[o]! * x[i]!;
  });
  return { output, dX, dKernel };
}
