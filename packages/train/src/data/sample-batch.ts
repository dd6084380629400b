import { type Tensor2D, tensor2d } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';

/** Bytes to read and the bytes that follow them, both int32 `[batch, time]`. */
export interface TextBatch {
  inputs: Tensor2D;
  targets: Tensor2D;
}

/** Draws `batch` windows of `context + 1` bytes at random places of a text of at least that length. */
export function sampleBatch(text: Uint8Array, { batch, context }: { batch: number; context: number }, random: Random): TextBatch {
  const starts = Array.from({ length: batch }, () => random.below(text.length - context));
  return windowBatch(text, starts, context);
}

/** The windows of `context + 1` bytes that begin at the given places. */
export function windowBatch(text: Uint8Array, starts: readonly number[], context: number): TextBatch {
  const inputs = new Int32Array(starts.length * context);
  const targets = new Int32Array(starts.length * context);
  starts.forEach((start, row) => {
    inputs.set(text.subarray(start, start + context), row * context);
    targets.set(text.subarray(start + 1, start + 1 + context), row * context);
  });
  const shape: [number, number] = [starts.length, context];
  return { inputs: tensor2d(inputs, shape, 'int32'), targets: tensor2d(targets, shape, 'int32') };
}
