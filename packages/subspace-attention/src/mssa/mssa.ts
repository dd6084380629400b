import { checkOptions, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { composedMssa, composedMssaBackward } from './composed';
import { defaultScale, type Phi, type PhiAttributes, phiAttributes, phiKinds } from './phi';
import { wasmMssa, wasmMssaBackward } from './wasm';
import { webgpuMssa, webgpuMssaBackward } from './webgpu';

/** Options of `mssa`. */
export interface MssaOptions {
  /** `[heads, headDim, dim]`, where each head's result goes: an untied output. Default: back through the subspaces, transposed. */
  readonly output?: Tensor3D | undefined;
  /** Whether a token sees no later one. Default false. */
  readonly causal?: boolean | undefined;
  /** `[batch, tokens]`, bool, int32 or float32: a source whose entry is 0 does not exist, and may hold anything. As a target it stays. */
  readonly keyMask?: Tensor | undefined;
  /** What the products of projected tokens are multiplied by. Default `1 / sqrt(headDim)`, and 1 where `phi` is a threshold, as in the theory. */
  readonly scale?: number | undefined;
  /** Whether a token sees all but itself. Default false: it does, and is its own best match as a rule. A token that sees nothing gets 0. */
  readonly maskSelf?: boolean | undefined;
  /** What turns scores into weights. Default 'softmax'. */
  readonly phi?: Phi | undefined;
  /**
   * `[headDim]`: queries and keys are the projected tokens over their root mean square (epsilon 1e-6), times this gain (QK-norm). Values are as
   * they were, so projected tokens alone no longer tell queries and keys: `mssaPrefill` refuses it.
   */
  readonly queryKeyGain?: Tensor1D | undefined;
}

/** Options of `mssaOperator` that are no tensors. */
export type MssaAttributes = { causal: boolean; scale: number; maskSelf: boolean } & PhiAttributes;

const attributes: MssaAttributes = { causal: false, scale: 1, maskSelf: false, phi: 'softmax', tau: 0, straightThrough: false };

// The contracts are written out, not spread: a bundler keeps an unused definition whose arguments hold a spread.
// `projected` is what the subspaces make of the tokens, and query, key and value of each head; `mixed` what each head makes of that. `largest` and
// `denominator` are, for each target, the largest score and the sum of the exponentials relative to it (for relu 0 and the number of sources): the logarithm
// of that sum would cost digits where scores are large.

/** The gradient of `mssaOperator`. */
export const mssaBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'MssaBackward',
  publicName: 'mssa',
  inputs: {
    tokens: 'batch tokens dim',
    subspaces: 'heads dim headDim',
    'output?': 'heads headDim dim',
    'keyMask?': 'batch tokens',
    'queryKeyGain?': 'headDim',
    projected: 'batch heads tokens headDim',
    mixed: 'batch heads tokens headDim',
    largest: 'batch heads tokens',
    denominator: 'batch heads tokens',
    dDenoised: 'batch tokens dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules: { phi: phiKinds },
  outputs: {
    dTokens: 'batch tokens dim',
    dSubspaces: 'heads dim headDim',
    'dOutput?': 'heads headDim dim',
    'dQueryKeyGain?': 'headDim',
  },
  compose: composedMssaBackward,
  kernels: { wasm: wasmMssaBackward, webgpu: webgpuMssaBackward },
});

/** Multi-head subspace self-attention. */
export const mssaOperator = /* @__PURE__ */ defineOperator({
  name: 'Mssa',
  inputs: {
    tokens: 'batch tokens dim',
    subspaces: 'heads dim headDim',
    'output?': 'heads headDim dim',
    'keyMask?': 'batch tokens',
    'queryKeyGain?': 'headDim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules: { phi: phiKinds },
  outputs: { denoised: 'batch tokens dim' },
  saved: {
    projected: 'batch heads tokens headDim',
    mixed: 'batch heads tokens headDim',
    largest: 'batch heads tokens',
    denominator: 'batch heads tokens',
  },
  compose: composedMssa,
  kernels: { wasm: wasmMssa, webgpu: webgpuMssa },
  backward: mssaBackwardOperator,
});

const rules = {
  output: 'tensor',
  causal: 'boolean',
  keyMask: 'tensor',
  scale: 'finite',
  maskSelf: 'boolean',
  phi: 'unchecked',
  queryKeyGain: 'tensor',
} as const;

/** The arguments of a call as an operator takes them. */
export function mssaCall(functionName: string, tokens: Tensor3D, subspaces: Tensor3D, options: MssaOptions) {
  checkOptions(functionName, options, rules);
  const { output, keyMask, queryKeyGain, causal = false, maskSelf = false } = options;
  const phi = phiAttributes(functionName, options.phi);
  const scale = options.scale ?? defaultScale(phi, subspaces?.shape?.at(-1));
  const inputs = { tokens, subspaces, output, keyMask: keyMask as Tensor2D | undefined, queryKeyGain };
  return { inputs, attributes: { causal, scale, maskSelf, ...phi } };
}

/**
 * Multi-head subspace self-attention (MSSA): every head projects the tokens onto a subspace, lets the projections attend to each other (one projection is
 * query, key and value), and maps the result back; the heads are added up.
 *
 * $$ W_k = X U_k, \qquad A_k = \mathrm{softmax}(s\, W_k W_k^\top), \qquad Y = \sum_k A_k W_k U_k^\top \quad\text{(tied)}, \quad \sum_k A_k W_k V_k \quad\text{(untied)} $$
 *
 * with softmax over rows. There is no residual in it: an attention-only layer is `add(x, mssa(layerNorm(x, gain), subspaces))`.
 *
 * @param tokens - `[batch, tokens, dim]`, float32.
 * @param subspaces - `[heads, dim, headDim]`, a basis per head. They need not be orthonormal, and `heads * headDim` need not be `dim`.
 * @param options - `output`, `causal`, `keyMask`, `scale`, `maskSelf`, `phi`, `queryKeyGain`; all work together.
 * @returns `[batch, tokens, dim]`. New tensor; the caller disposes it. A token without any source gives 0.
 * @throws ShapeError if an axis differs between arguments; DTypeError; OptionError for an unknown option or value.
 * @remarks O(batch heads tokens (tokens + dim) headDim) time; memory grows with tokens, not their square, forward and backward. Differentiable in tokens,
 *   subspaces, output and queryKeyGain. `phi` other than softmax runs as tfjs ops on every backend, in blocks of rows.
 * @see Wang et al. 2025, https://arxiv.org/abs/2506.03790; Yu et al. 2023, https://arxiv.org/abs/2306.01129
 * @example
 * const denoised = mssa(tokens, subspaces, { causal: true, output });
 */
export function mssa(tokens: Tensor3D, subspaces: Tensor3D, options: MssaOptions = {}): Tensor3D {
  const { inputs, attributes } = mssaCall('mssa', tokens, subspaces, options);
  return mssaOperator.run(inputs, attributes).denoised;
}
