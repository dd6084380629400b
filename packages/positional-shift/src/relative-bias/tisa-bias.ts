import { checkTensor, defineOperator, OptionError } from '@mixfold/tensor-ops';
import {
  abs,
  exp,
  mul,
  neg,
  range,
  reshape,
  sign,
  square,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
} from '@tensorflow/tfjs-core';
import { relativePositionBias } from './relative-position-bias';

/** The parameters of a translation-invariant bias: `[heads, terms]` each, terms being bumps over the offset. */
export interface TisaParameters {
  /** Height of a bump. */
  readonly amplitude: Tensor2D;
  /** How narrow it is; its sign does not count. */
  readonly sharpness: Tensor2D;
  /** At which offset, target - source, it stands. TISA's own c is the opposite: `offsetFromKeyMinusQuery`. */
  readonly center: Tensor2D;
}

type Parameters = Record<keyof TisaParameters, Tensor>;
type Shapes = Readonly<Record<string, readonly number[]>>;

/** Distance of every offset from every center, and the bumps there, `[heads, terms, offsets]`. */
function bumpsOf({ amplitude, sharpness, center }: Parameters, length: number) {
  const [heads, terms] = center.shape as [number, number];
  const wide = (x: Tensor) => reshape(x, [heads, terms, 1]);
  const distance = sub(reshape(range(1 - length, length), [1, 1, 2 * length - 1]), wide(center));
  const shape = exp(neg(mul(abs(wide(sharpness)), square(distance))));
  return { wide, distance, shape, bumps: mul(wide(amplitude), shape) };
}

/** The gradient of `tisaProfileOperator`. */
export const tisaProfileBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'TisaProfileBackward',
  publicName: 'tisaBias',
  inputs: { amplitude: 'heads terms', sharpness: 'heads terms', center: 'heads terms', dValues: 'heads offsets' },
  attributes: { length: 1 },
  attributeRules: { length: 'positiveInteger' },
  outputs: { dAmplitude: 'heads terms', dSharpness: 'heads terms', dCenter: 'heads terms' },
  compose({ dValues, ...parameters }, { length }) {
    const { wide, distance, shape, bumps } = bumpsOf(parameters, length);
    const received = reshape(dValues, [dValues.shape[0], 1, 2 * length - 1]);
    const weighed = mul(bumps, received);
    const { sharpness } = parameters;
    return {
      dAmplitude: sum(mul(shape, received), 2),
      dSharpness: neg(mul(sign(sharpness), sum(mul(weighed, square(distance)), 2))),
      dCenter: sum(mul(mul(weighed, distance), mul(2, abs(wide(sharpness)))), 2),
    };
  },
});

/** The sum of each head's bumps at every offset from -(length - 1) to length - 1. */
export const tisaProfileOperator = /* @__PURE__ */ defineOperator({
  name: 'TisaProfile',
  publicName: 'tisaBias',
  inputs: { amplitude: 'heads terms', sharpness: 'heads terms', center: 'heads terms' },
  attributes: { length: 1 },
  attributeRules: { length: 'positiveInteger' },
  outputs: { values: '...values' },
  shapes: ({ center }: Shapes, { length }: { length: number }) => ({ '...values': [center![0]!, 2 * length - 1] }),
  compose: (parameters, { length }) => ({ values: sum(bumpsOf(parameters, length).bumps, 1) }),
  backward: tisaProfileBackwardOperator,
});

/**
 * The translation-invariant bias of TISA: for each head a sum of bumps over the offset.
 *
 * $$ b_{t,s} = \sum_k a_k \, e^{-|b_k| (d - c_k)^2}, \qquad d = t - s $$
 *
 * @param parameters - `amplitude`, `sharpness` and `center`, `[heads, terms]` each, float32; the centers are offsets, target - source.
 * @param N - Length of the sequence.
 * @returns `[heads, target, source]`: `bias` of `scaledDotProductAttention`. New tensor; the caller disposes it.
 * @throws ShapeError if the parameters differ in shape; OptionError if N is no integer above 0; DTypeError.
 * @remarks O(heads (terms N + N^2)). Differentiable in all three.
 * @see Wennberg and Henter 2021, https://arxiv.org/abs/2106.01950, whose f takes source - target: with c = offsetFromKeyMinusQuery(their c) the bias is theirs
 * @example
 * const bias = tisaBias({ amplitude, sharpness, center }, 128);
 */
export function tisaBias(parameters: TisaParameters, N: number): Tensor3D {
  if (typeof parameters !== 'object' || parameters === null) {
    throw new OptionError(`tisaBias: parameters must be {amplitude, sharpness, center}, got ${String(parameters)}`);
  }
  if (!Number.isSafeInteger(N) || N < 1) throw new OptionError(`tisaBias: N must be an integer above 0, got ${String(N)}`);
  const { amplitude, sharpness, center } = parameters;
  for (const [name, value] of Object.entries({ amplitude, sharpness, center })) checkTensor('tisaBias', name, value, ['float32']);
  const values = tisaProfileOperator.run({ amplitude, sharpness, center }, { length: N }).values as Tensor2D;
  const bias = relativePositionBias(values, N);
  values.dispose();
  return bias;
}
