import { add, concat, mul, reshape, rsqrt, slice, square, sub, sum, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { meanOfRows } from '../lines/sum-of-rows';

/** Rows as `[rows, width]`; tfjs's WebGPU kernels are right for few axes only. */
const flat = (x: Tensor, width: number): Tensor => reshape(x, [-1, width]);

/** The rows less their mean. Taken off in two steps, so that an offset of thousands of deviations costs no digits. */
function centre(x: Tensor): { mean: Tensor; rest: Tensor; centred: Tensor } {
  const first = meanOfRows(x);
  const shifted = sub(x, first);
  const rest = meanOfRows(shifted);
  return { mean: first, rest, centred: sub(shifted, rest) };
}

/** Normalisation of rows, with their mean taken off or not; see the contracts of layerNorm and rmsNorm. */
export function composedNorm(
  isCentred: boolean,
  given: { x: Tensor; gain: Tensor; bias?: Tensor | undefined },
  epsilon: number,
  outputShapes: Readonly<Record<string, number[]>>,
): Record<string, Tensor> {
  const x = flat(given.x, given.gain.size);
  const { mean: average, rest, centred } = isCentred ? centre(x) : { mean: null, rest: null, centred: x };
  const inverse = rsqrt(add(meanOfRows(square(centred)), epsilon));
  const scaled = mul(mul(centred, inverse), given.gain);
  const output = reshape(given.bias ? add(scaled, given.bias) : scaled, given.x.shape);
  if (!outputShapes.moments) return { output };
  const moments = concat([average ?? zerosLike(inverse), rest ?? zerosLike(inverse), inverse], 1);
  return { output, moments: reshape(moments, outputShapes.moments) };
}

/** The gradient of `composedNorm`. */
export function composedNormBackward(
  isCentred: boolean,
  { x, gain, moments, dOutput }: { x: Tensor; gain: Tensor; moments: Tensor; dOutput: Tensor },
): Record<string, Tensor> {
  const width = gain.size;
  const kept = flat(moments, 3);
  const [average, rest, inverse] = [0, 1, 2].map((i) => slice(kept, [0, i], [-1, 1])) as [Tensor, Tensor, Tensor];
  const normal = mul(sub(sub(flat(x, width), average), rest), inverse);
  const received = flat(dOutput, width);
  const dNormal = mul(received, gain);
  const projected = sub(dNormal, mul(normal, meanOfRows(mul(dNormal, normal))));
  const dX = mul(isCentred ? sub(projected, meanOfRows(dNormal)) : projected, inverse);
  return { dX: reshape(dX, x.shape), dGain: sum(mul(received, normal), 0), dBias: sum(received, 0) };
}
