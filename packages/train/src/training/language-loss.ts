import { softmaxCrossEntropy } from '@mixfold/tensor-ops';
import { reshape, type Scalar, type Tensor1D, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import type { TextBatch } from '../data/sample-batch';
import type { Model } from '../model/model';
import type { Params } from '../model/params';

/** Mean cross-entropy of the next byte, in nats, over every position of a batch. Differentiable in the params. */
export function languageLoss(model: Model, params: Params, batch: TextBatch, training: boolean): Scalar {
  return tidy(() => {
    const logits = model.apply(params, batch, { training });
    const rows = batch.targets.size;
    return softmaxCrossEntropy(
      reshape(logits, [rows, logits.size / rows]) as Tensor2D,
      reshape(batch.targets, [rows]) as Tensor1D,
    );
  });
}
