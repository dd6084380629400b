import { shift } from '@mixfold/positional-shift';
import { concat, mean, slice, type Tensor, type Tensor4D, tidy, tile } from '@tensorflow/tfjs-core';
import { windowBatch } from '../../data/sample-batch';
import type { LanguageModel } from '../../model/language-model';
import type { Params } from '../../model/params';
import type { AttentionHeads } from '../../model/token-mixer';
import { languageLoss } from '../../training/language-loss';

/** What takes the place of a head: the values `offset` tokens before, or the mean of its output over batch and time. */
export interface Replacement {
  readonly layer: number;
  readonly head: number;
  readonly offset: number | 'mean';
}

/** Mean loss on windows of a text, with some heads replaced. */
export async function lossWith(
  model: LanguageModel,
  params: Params,
  text: Uint8Array,
  { context, starts, batch }: { context: number; starts: readonly number[]; batch: number },
  replacements: readonly Replacement[],
): Promise<number> {
  const watched: LanguageModel = {
    ...model,
    apply: (weights, inputs, options) =>
      model.apply(weights, inputs, {
        ...options,
        watch: (layer, heads) =>
          replaced(
            heads,
            replacements.filter((one) => one.layer === layer),
          ),
      }),
  };
  let sum = 0;
  for (let first = 0; first < starts.length; first += batch) {
    const some = starts.slice(first, first + batch);
    const window = windowBatch(text, some, context);
    const loss = languageLoss(watched, params, window, false);
    window.inputs.dispose();
    window.targets.dispose();
    sum += (await loss.data())[0]! * some.length;
    loss.dispose();
  }
  return sum / starts.length;
}

function replaced({ value, output }: AttentionHeads, replacements: readonly Replacement[]): Tensor4D {
  if (replacements.length === 0) return output;
  return tidy(() => {
    const byHead = new Map(replacements.map((one) => [one.head, one.offset]));
    const [batch, heads, time] = output.shape;
    const part = (x: Tensor, head: number) => slice(x, [0, head, 0, 0], [-1, 1, -1, -1]);
    const parts = Array.from({ length: heads }, (_, head) => {
      const offset = byHead.get(head);
      if (offset === undefined) return part(output, head);
      if (offset === 'mean') return tile(mean(part(output, head), [0, 2], true), [batch, 1, time, 1]);
      return shift(part(value, head), offset, { axis: 2 });
    });
    return concat(parts, 1) as Tensor4D;
  });
}
