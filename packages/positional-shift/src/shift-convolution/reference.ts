import type { Boundary } from '../boundary';
import { placeOnAxis } from '../shift/reference';

/** A call on plain arrays: x `[batch, height, width, dim]`, theta `[terms, dim, channels]`, or `[terms, dim]` if `depthwise`. */
export interface ShiftConvolutionCall {
  readonly x: ArrayLike<number>;
  readonly theta: ArrayLike<number>;
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly dim: number;
  readonly channels: number;
  readonly offsets: readonly (readonly [dy: number, dx: number])[];
  readonly boundary: Boundary;
  readonly depthwise?: boolean;
}

/** The convolution by its definition, and its gradients where a cotangent is given. */
export function shiftConvolutionReference(
  call: ShiftConvolutionCall,
  cotangent?: ArrayLike<number>,
): { output: Float64Array; dX: Float64Array; dTheta: Float64Array } {
  const { x, theta, batch, height, width, dim, channels, offsets, boundary, depthwise = false } = call;
  const output = new Float64Array(batch * height * width * channels);
  const [dX, dTheta] = [new Float64Array(x.length), new Float64Array(theta.length)];
  const product = (from: number, to: number, parameter: number) => {
    output[to]! += x[from]! * theta[parameter]!;
    if (cotangent === undefined) return;
    dX[from]! += cotangent[to]! * theta[parameter]!;
    dTheta[parameter]! += cotangent[to]! * x[from]!;
  };
  for (const [k, [dy, dx]] of offsets.entries()) {
    for (let place = 0; place < batch * height * width; place++) {
      const column = place % width;
      const line = Math.floor(place / width);
      const y = line % height;
      const [sourceY, sourceX] = [placeOnAxis(y - dy, height, boundary), placeOnAxis(column - dx, width, boundary)];
      if (sourceY < 0 || sourceX < 0) continue;
      const source = (line - y + sourceY) * width + sourceX;
      for (let p = 0; p < dim; p++) {
        if (depthwise) product(source * dim + p, place * dim + p, k * dim + p);
        else for (let q = 0; q < channels; q++) product(source * dim + p, place * channels + q, (k * dim + p) * channels + q);
      }
    }
  }
  return { output, dX, dTheta };
}
