import type { Tensor } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';
import type { Params } from './params';

/** What a model sees of a batch; training also needs the targets. */
export interface Batch {
  inputs: Tensor;
}

/** A model is a pair of functions over weights that live outside it. */
export interface Model<B extends Batch = Batch> {
  /** New weights. The caller disposes them. */
  init(random: Random): Params;
  /** Logits of a batch, `[..., classes]`. The caller disposes them. */
  apply(params: Params, batch: B, options: { training: boolean }): Tensor;
}
