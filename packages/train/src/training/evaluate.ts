import { checkOptions } from '@mixfold/tensor-ops';
import { nextFrame } from '@tensorflow/tfjs-core';
import { windowBatch } from '../data/sample-batch';
import type { Model } from '../model/model';
import type { Params } from '../model/params';
import { languageLoss } from './language-loss';

/** Settings of `evaluate`. */
export interface EvaluateOptions {
  /** Bytes of one window. */
  context: number;
  /** Windows at a time; default 16. */
  batch?: number;
  /** Measure this many windows, spread evenly over the text, rather than all. */
  windows?: number;
}

/** What a model reaches on a text. */
export interface Evaluation {
  /** Mean cross-entropy in nats per byte. */
  loss: number;
  bitsPerByte: number;
  /** Predicted bytes. */
  bytes: number;
}

/**
 * Mean cross-entropy of a model on a text, in windows that do not overlap: the first byte of a window is predicted from one byte
 * of context, the last from all of it.
 *
 * @throws RangeError if the text is shorter than one window.
 */
export async function evaluate(model: Model, params: Params, text: Uint8Array, options: EvaluateOptions): Promise<Evaluation> {
  checkOptions('evaluate', options, { context: 'positiveInteger', batch: 'positiveInteger', windows: 'positiveInteger' });
  const { context, batch = 16, windows } = options;
  const available = Math.floor((text.length - 1) / context);
  if (available < 1) throw new RangeError(`evaluate: the text has ${text.length} bytes, fewer than a window of ${context + 1}`);
  const count = Math.min(windows ?? available, available);
  const starts = Array.from({ length: count }, (_, i) => Math.floor((i * available) / count) * context);
  let sum = 0;
  for (let first = 0; first < count; first += batch) {
    const some = starts.slice(first, first + batch);
    const window = windowBatch(text, some, context);
    const loss = languageLoss(model, params, window, false);
    window.inputs.dispose();
    window.targets.dispose();
    sum += (await loss.data())[0]! * some.length;
    loss.dispose();
    await nextFrame();
  }
  const loss = sum / count;
  return { loss, bitsPerByte: bitsPerByte(loss), bytes: count * context };
}

/** Nats per byte as bits per byte. */
export function bitsPerByte(loss: number): number {
  return loss / Math.LN2;
}
