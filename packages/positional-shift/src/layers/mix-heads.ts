import { scaledDotProductAttention } from '@mixfold/mixed-product';
import {
  add,
  cast,
  concat,
  expandDims,
  matMul,
  mul,
  reshape,
  sigmoid,
  slice,
  sub,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tensor2d,
  tile,
  transpose,
} from '@tensorflow/tfjs-core';
import { shift } from '../shift/shift';
import { shiftMixture } from '../shift-mixture/shift-mixture';
import type { ShiftAttentionConfig } from './shift-attention-args';

/** A call of the mixing part of a shift attention: the last `targets` of the sources are the targets. */
export interface HeadsCall extends Omit<ShiftAttentionConfig, 'headDim'> {
  readonly headDim: number;
  /** `[batch, targets, heads * headDim]`; null without content heads, as `key` is. */
  readonly query: Tensor | null;
  /** `[batch, sources, heads * headDim]`. */
  readonly key: Tensor | null;
  /** `[batch, sources, heads * headDim]`, with the shift heads last where shifts are heads. */
  readonly value: Tensor;
  readonly targets: number;
  /** `[batch, sources]`, nonzero = there. */
  readonly mask?: Tensor | undefined;
  /** `[heads]`, of `'gated'`. */
  readonly gate?: Tensor | undefined;
  /** `[heads, offsets]`: logits of a mixture, or biases for `'logBias'`. */
  readonly shiftWeights?: Tensor2D | undefined;
}

/** `[batch, targets, all heads * headDim]`, before the projection. */
export function mixHeads(call: HeadsCall): Tensor {
  const { combine, heads, headDim, offsets, boundary, targets, shiftWeights } = call;
  const sources = call.value.shape[1]!;
  const mask = call.mask && cast(call.mask, 'float32');
  const value = mask ? mul(call.value, expandDims(mask, 2)) : call.value;
  const latest = (x: Tensor): Tensor => slice(x, [0, sources - targets, 0], [-1, targets, -1]);
  const mixture = () => shiftMixture(value as Tensor3D, shiftWeights!, { offsets, normalize: true, boundary });

  if (combine === 'heads') {
    const parts = offsets.map((offset, i) => {
      const own = slice(value, [0, 0, (heads + i) * headDim], [-1, -1, headDim]);
      return latest(shift(own, offset, { boundary }));
    });
    if (heads > 0) parts.unshift(attend(call, slice(value, [0, 0, 0], [-1, -1, heads * headDim]), mask));
    return concat(parts, 2);
  }
  if (combine === 'valueShift') return attend(call, mixture(), mask);
  const content = attend(call, value, mask);
  if (combine === 'logBias') return content;
  // One gate per head, once for each of its channels.
  const gate = reshape(tile(reshape(sigmoid(call.gate!), [heads, 1]), [1, headDim]), [1, 1, heads * headDim]);
  return add(mul(content, sub(1, gate)), mul(latest(mixture()), gate));
}

/** Attention by content, `[batch, targets, heads * headDim]`. */
function attend(call: HeadsCall, value: Tensor, mask: Tensor | undefined): Tensor {
  const { heads, headDim, targets, causal, combine } = call;
  const [batch, sources] = value.shape as [number, number, number];
  const split = (x: Tensor): Tensor4D => transpose(reshape(x, [batch, x.shape[1]!, heads, headDim]), [0, 2, 1, 3]) as Tensor4D;
  const attended = scaledDotProductAttention(split(call.query!), split(call.key!), split(value), {
    causal,
    ...(mask ? { mask: tile(reshape(mask, [batch, 1, 1, sources]), [1, 1, targets, 1]) } : {}),
    ...(combine === 'logBias' ? { bias: biasAtOffsets(call, sources) } : {}),
  });
  return reshape(transpose(attended, [0, 2, 1, 3]), [batch, targets, heads * headDim]);
}

/** `[heads, targets, sources]`: each head's bias where target - source is one of the offsets, else 0. */
function biasAtOffsets({ heads, offsets, targets, shiftWeights }: HeadsCall, sources: number): Tensor3D {
  const places = new Float32Array(offsets.length * targets * sources);
  for (const [k, offset] of offsets.entries()) {
    for (let t = 0; t < targets; t++) {
      const source = t + sources - targets - offset;
      if (source >= 0 && source < sources) places[(k * targets + t) * sources + source] = 1;
    }
  }
  const atPlaces = matMul(shiftWeights!, tensor2d(places, [offsets.length, targets * sources]));
  return reshape(atPlaces, [heads, targets, sources]);
}
