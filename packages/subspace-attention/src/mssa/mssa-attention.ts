import { defineOperator } from '@mixfold/tensor-ops';
import { reshape, type Tensor3D, type Tensor4D } from '@tensorflow/tfjs-core';
import { mixingOf, project } from './composed';
import { weightsOf } from './composed-mixing';
import { type MssaAttributes, type MssaOptions, mssaCall } from './mssa';
import { phiKinds } from './phi';

const attributes: MssaAttributes = { causal: false, scale: 1, maskSelf: false, phi: 'softmax', tau: 0, straightThrough: false };

/** The weights of `mssaOperator`, for looking at. */
export const mssaAttentionOperator = /* @__PURE__ */ defineOperator({
  name: 'MssaAttention',
  inputs: {
    tokens: 'batch tokens dim',
    subspaces: 'heads dim headDim',
    'keyMask?': 'batch tokens',
    'queryKeyGain?': 'headDim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules: { phi: phiKinds },
  outputs: { maps: 'batch heads tokens tokens' },
  compose(inputs, options, { outputShapes }) {
    return { maps: reshape(weightsOf(mixingOf(project(inputs), inputs, options)), outputShapes.maps!) };
  },
});

/**
 * The attention maps of `mssa`: how much of each source goes into each target, by head.
 *
 * @param tokens - `[batch, tokens, dim]`, float32.
 * @param subspaces - `[heads, dim, headDim]`.
 * @param options - Those of `mssa`; an untied output has no part in the maps.
 * @returns `[batch, heads, target, source]`. New tensor; the caller disposes it. Rows add up to 1 (softmax), or are 0 where a token sees nothing.
 * @throws As `mssa`.
 * @remarks This is what `mssa` never makes: O(batch heads tokens^2) memory. Not differentiable; it runs as tfjs ops on every backend.
 * @example
 * const weights = await selfWeight(mssaAttention(tokens, subspaces)); // selfWeight is in '@mixfold/subspace-attention/measure'
 */
export function mssaAttention(tokens: Tensor3D, subspaces: Tensor3D, options: MssaOptions = {}): Tensor4D {
  const { inputs, attributes: chosen } = mssaCall('mssaAttention', tokens, subspaces, options);
  const { output: _, ...others } = inputs;
  return mssaAttentionOperator.run(others, chosen).maps;
}
