import { checkOptions, type DropoutOptions, defineOperator, OptionError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { composedAttention, composedAttentionBackward } from './composed';
import { type AttentionAttributes, checkAttention } from './pair-shape';
import { wasmAttention, wasmAttentionBackward } from './wasm';
import { webgpuAttentionBackward } from './webgpu-backward';
import { webgpuAttention } from './webgpu-forward';

/** Options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /** Whether a target sees no source behind its own place, counted from the ends: `t' <= t + source - target`. Default false. */
  readonly causal?: boolean | undefined;
  /**
   * bool, int32 or float32, nonzero = attend: `[target, source]`, `[heads, target, source]` or `[batch, heads, target, source]`, where all axes but source may
   * be 1. A source that no target attends to may hold anything, NaN included.
   */
  readonly mask?: Tensor | undefined;
  /** Added to the scores, in nats; the shapes of `mask`. Differentiable. -Infinity, as anything below -5e29, hides a pair as a mask does. */
  readonly bias?: Tensor | undefined;
  /** What the products of queries and keys are multiplied by. Default `1 / sqrt(headDim)`. */
  readonly scale?: number | undefined;
  /** Drops attention weights at random, and scales up the others, as `dropout` does. Equal seeds drop equal pairs. */
  readonly dropout?: DropoutOptions | undefined;
}

const attributes: AttentionAttributes = { causal: false, scale: 1, rate: 0, seed: 0 };

// The contracts below are written out, not spread: a bundler keeps an unused definition whose arguments hold a spread.
// `largest` and `denominator` are, for each target, the largest score and the sum of the exponentials relative to it: their logarithm would cost digits
// where scores are large.

/** The gradient of `scaledDotProductAttentionOperator`. */
export const scaledDotProductAttentionBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ScaledDotProductAttentionBackward',
  publicName: 'scaledDotProductAttention',
  inputs: {
    query: 'batch heads target headDim',
    key: 'batch keyHeads source headDim',
    value: 'batch keyHeads source valueDim',
    'mask?': '...mask',
    'bias?': '...bias',
    output: 'batch heads target valueDim',
    largest: 'batch heads target',
    denominator: 'batch heads target',
    dOutput: 'batch heads target valueDim',
  },
  dtypes: { mask: 'mask' },
  attributes,
  attributeRules: { seed: 'nonNegativeInteger' },
  outputs: {
    dQuery: 'batch heads target headDim',
    dKey: 'batch keyHeads source headDim',
    dValue: 'batch keyHeads source valueDim',
    'dBias?': '...bias',
  },
  shapes: checkAttention,
  compose: composedAttentionBackward,
  kernels: { wasm: wasmAttentionBackward, webgpu: webgpuAttentionBackward },
});

/** Softmax attention. */
export const scaledDotProductAttentionOperator = /* @__PURE__ */ defineOperator({
  name: 'ScaledDotProductAttention',
  inputs: {
    query: 'batch heads target headDim',
    key: 'batch keyHeads source headDim',
    value: 'batch keyHeads source valueDim',
    'mask?': '...mask',
    'bias?': '...bias',
  },
  dtypes: { mask: 'mask' },
  attributes,
  attributeRules: { seed: 'nonNegativeInteger' },
  outputs: { output: 'batch heads target valueDim' },
  saved: { largest: 'batch heads target', denominator: 'batch heads target' },
  shapes: checkAttention,
  compose: composedAttention,
  kernels: { wasm: wasmAttention, webgpu: webgpuAttention },
  backward: scaledDotProductAttentionBackwardOperator,
});

const rules = { causal: 'boolean', mask: 'tensor', bias: 'tensor', scale: 'finite', dropout: 'unchecked' } as const;

/**
 * Scaled dot-product attention: every target mixes the values of all sources, weighted by a softmax of its query's products with their keys.
 *
 * $$ Y_t = \sum_{t'} \frac{e^{s_{tt'}}}{\sum_{t''} e^{s_{tt''}}}\, V_{t'}, \qquad s_{tt'} = \frac{\langle Q_t, K_{t'} \rangle}{\sqrt{p}} + b_{tt'} $$
 *
 * @param query - `[batch, heads, target, headDim]`.
 * @param key - `[batch, keyHeads, source, headDim]`; `keyHeads` divides `heads`, and each key head serves as many query heads that stand side by side.
 * @param value - `[batch, keyHeads, source, valueDim]`; `valueDim` is `headDim` as a rule.
 * @param options - `causal`, `mask`, `bias`, `scale`, `dropout`; all work together.
 * @returns `[batch, heads, target, valueDim]`. New tensor; the caller disposes it. A target without any source gives 0, and its gradients are 0.
 * @throws ShapeError if an axis differs between arguments, a mask or bias does not spread over all pairs, or the key heads do not divide the query
 *   heads; DTypeError; OptionError for an unknown option or value.
 * @remarks O(target source headDim) time; O((target + source) headDim) memory, forward and backward: weights are never stored. Differentiable in query, key,
 *   value and bias.
 * @see Vaswani et al. 2017, eq. 1, https://arxiv.org/abs/1706.03762; Dao et al. 2022, https://arxiv.org/abs/2205.14135
 * @example
 * const output = scaledDotProductAttention(query, key, value, { causal: true, dropout: { rate: 0.1, seed: step } });
 */
export function scaledDotProductAttention(
  query: Tensor4D,
  key: Tensor4D,
  value: Tensor4D,
  options: AttentionOptions = {},
): Tensor4D {
  checkOptions('scaledDotProductAttention', options, rules);
  const { mask, bias, causal = false, dropout } = options;
  const inputs = { query, key, value, mask, bias };
  const chosen = { causal, scale: options.scale ?? defaultScale(query), ...dropoutAttributes(dropout) };
  return scaledDotProductAttentionOperator.run(inputs, chosen).output;
}

/** One over the square root of the head size; what is no tensor is refused later. */
export function defaultScale(query: Tensor4D): number {
  const headDim = query?.shape?.at(-1);
  return headDim ? 1 / Math.sqrt(headDim) : 1;
}

function dropoutAttributes(dropout: DropoutOptions | undefined): { rate?: number; seed?: number } {
  if (dropout === undefined) return {};
  checkOptions('scaledDotProductAttention dropout', dropout, { rate: 'finite', seed: 'nonNegativeInteger' });
  for (const name of ['rate', 'seed'] as const) {
    if (dropout?.[name] === undefined) throw new OptionError(`scaledDotProductAttention: option dropout.${name} is required`);
  }
  return { rate: dropout.rate, seed: dropout.seed };
}
