import { type HeadScore, scoreHeads } from '@mixfold/positional-shift';
import { softmax } from '@mixfold/tensor-ops';
import { add, keep, linalg, matMul, mul, ones, type Tensor, type Tensor2D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import type { TextBatch } from '../../data/sample-batch';
import type { LanguageModel } from '../../model/language-model';
import type { Params } from '../../model/params';
import type { AttentionHeads } from '../../model/token-mixer';

/** The score of one head of a model. */
export interface ObservedHead extends HeadScore {
  readonly layer: number;
  readonly head: number;
}

/** Attention maps of causal heads, `[batch, heads, target, source]`. */
function patternsOf({ query, key, bias }: AttentionHeads): Tensor4D {
  return tidy(() => {
    const scaled = mul(matMul(query, key, false, true), 1 / Math.sqrt(query.shape[3]));
    return softmax(bias === undefined ? scaled : add(scaled, bias), -1, { mask: causalMask(key.shape[2]) }) as Tensor4D;
  });
}

const causalMask = (time: number): Tensor2D => tidy(() => linalg.bandPart(ones([time, time]), -1, 0) as Tensor2D);

/** Scores every attention head of a model on a batch. */
export async function observeHeads(model: LanguageModel, params: Params, batch: TextBatch): Promise<ObservedHead[]> {
  const layers: Tensor4D[] = [];
  const watch = (_: number, heads: AttentionHeads) => {
    layers.push(keep(patternsOf(heads)));
    return heads.output;
  };
  model.apply(params, batch, { training: false, watch }).dispose();
  const mask = causalMask(batch.inputs.shape[1]);
  try {
    const scores = await Promise.all(layers.map((patterns) => scoreHeads(patterns, { mask })));
    return scores.flatMap((heads, layer) => heads.map((score, head) => ({ layer, head, ...score })));
  } finally {
    for (const tensor of [mask, ...layers] as Tensor[]) tensor.dispose();
  }
}

/** The heads from the most to the least shift-like: by diagonal mean, a head that looks at its own token last. */
export function byLikeness(heads: readonly ObservedHead[]): ObservedHead[] {
  const likeness = ({ bestOffset, diagonalMean }: ObservedHead) => (bestOffset === 0 ? diagonalMean - 1 : diagonalMean);
  return [...heads].sort((a, b) => likeness(b) - likeness(a));
}
