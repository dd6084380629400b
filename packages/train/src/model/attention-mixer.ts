import { scaledDotProductAttention, scaledDotProductAttentionOperator } from '@mixfold/mixed-product';
import { alibiBias, shift, t5Bias } from '@mixfold/positional-shift';
import { rotaryEmbedding } from '@mixfold/tensor-ops';
import {
  concat,
  matMul,
  reshape,
  slice,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { withBias } from './feed-forward';
import type { Params } from './params';
import type { AttentionConfig } from './position';
import type { AttentionHeads, MixerState, MixerUse, RowSizes, StreamingMixer, WatchHeads } from './token-mixer';
import { constant, uniform } from './weight-plan';

/** Offsets that share a score, as in T5. */
const T5_BUCKETS = 32;

/** The tokens before those of a call. */
interface Memory {
  readonly position: number;
  /** `[batch, heads, position, headDim]`. */
  readonly keys: Tensor4D;
  readonly values: Tensor4D;
  /** Values of the shift heads, `[batch, shiftHeads, channels]`: as many tokens as the furthest of them looks back. */
  readonly shifted: Tensor;
}

/**
 * Multi-head self-attention, causal unless said; with shift heads, the last heads do not attend but look a fixed number of tokens back, head i by i + 1, and need no
 * queries and keys.
 */
export function attentionMixer(
  dim: number,
  { heads, shiftHeads, position }: AttentionConfig,
  { causal = true, hasOutputBias = false }: MixerUse = {},
): StreamingMixer {
  const [content, headDim] = [heads - shiftHeads, dim / heads];
  const attended = content * headDim;

  const biasOf = (params: Params, length: number): Tensor | undefined => {
    if (position === 'alibi') return alibiBias(content, length);
    return position === 't5' ? t5Bias(params.bias as Tensor2D, length, { bidirectional: false }) : undefined;
  };

  const mix = (params: Params, rows: Tensor2D, sizes: RowSizes, memory: Memory | undefined, watch?: WatchHeads) => {
    const { batch, time } = sizes;
    const before = memory?.position ?? 0;
    const byHead = (x: Tensor) => transpose(reshape(x, [batch, time, content, headDim]), [0, 2, 1, 3]) as Tensor4D;
    const turned = (x: Tensor4D) => (position === 'rotary' ? rotaryEmbedding(x, { offset: before }) : x);
    const after = (old: Tensor4D | undefined, own: Tensor4D) => (old === undefined ? own : (concat([old, own], 2) as Tensor4D));

    const query = turned(byHead(matMul(rows, params.query as Tensor2D)));
    const key = after(memory?.keys, turned(byHead(matMul(rows, params.key as Tensor2D))));
    const values = matMul(rows, params.value as Tensor2D);
    const value = after(memory?.values, byHead(slice(values, [0, 0], [-1, attended])));
    const bias = lastRows(biasOf(params, before + time), time);
    let output = scaledDotProductAttention(query, key, value, { causal, bias });
    if (watch) output = watch({ query, key, value, bias, output } satisfies AttentionHeads);
    const parts = [reshape(transpose(output, [0, 2, 1, 3]), [batch * time, attended])];

    const channels = dim - attended;
    const own = reshape(slice(values, [0, attended], [-1, channels]), [batch, time, channels]);
    const tail = memory?.shifted ?? zeros([batch, shiftHeads, channels]);
    const all = shiftHeads === 0 ? own : concat([tail, own], 1);
    for (let head = 0; head < shiftHeads; head++) {
      const channelsOfHead = slice(all, [0, 0, head * headDim], [-1, -1, headDim]);
      const seen = slice(shift(channelsOfHead, head + 1), [0, shiftHeads, 0], [-1, time, -1]);
      parts.push(reshape(seen, [batch * time, headDim]));
    }
    const joined = matMul(concat(parts, 1) as Tensor2D, params.output as Tensor2D) as Tensor2D;
    const mixed = withBias(joined, params.outputBias);
    return { output: mixed, key, value, shifted: slice(all, [0, all.shape[1]! - shiftHeads, 0], [-1, shiftHeads, -1]) };
  };

  const advance = (params: Params, rows: Tensor2D, sizes: RowSizes, { position: before, tensors }: MixerState) => {
    const { keys, values, shifted } = tensors as { keys: Tensor4D; values: Tensor4D; shifted: Tensor };
    const next = mix(params, rows, sizes, { position: before, keys, values, shifted });
    const state: MixerState = {
      operator: 'attention',
      position: before + sizes.time,
      tensors: { keys: next.key, values: next.value, shifted: next.shifted },
    };
    return { output: next.output, state };
  };

  return {
    operator: scaledDotProductAttentionOperator,
    shapes({ batch, time }) {
      const shape = [batch, content, time, headDim];
      return { query: shape, key: shape, value: shape };
    },
    plan(width, outputDeviation) {
      const weight = (columns: number) => uniform([width, columns], 1 / Math.sqrt(width));
      return {
        query: weight(attended),
        key: weight(attended),
        value: weight(width),
        output: uniform([width, width], outputDeviation),
        ...(hasOutputBias ? { outputBias: constant([width], 0) } : {}),
        ...(position === 't5' ? { bias: constant([T5_BUCKETS, content], 0) } : {}),
      };
    },
    apply: (params, rows, sizes, watch) => mix(params, rows, sizes, undefined, watch).output,
    initialState: (batch) => ({
      operator: 'attention',
      position: 0,
      tensors: {
        keys: zeros([batch, content, 0, headDim]),
        values: zeros([batch, content, 0, headDim]),
        shifted: zeros([batch, shiftHeads, dim - attended]),
      },
    }),
    prefill: advance,
    step: (params, rows, state) => advance(params, rows, { batch: rows.shape[0], time: 1 }, state),
  };
}

/** The rows of the last `count` targets of a bias `[heads, target, source]`. */
function lastRows(bias: Tensor | undefined, count: number): Tensor | undefined {
  if (bias === undefined || bias.shape[1] === count) return bias;
  return slice(bias, [0, bias.shape[1]! - count, 0], [-1, count, -1]);
}
