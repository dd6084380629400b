import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import { DTypeError } from '../errors';
import { defineOperator } from '../operator/define-operator';
import { composedLabels, composedLabelsBackward, composedTargets, composedTargetsBackward } from './composed';
import { wasmCrossEntropy, wasmCrossEntropyBackward } from './wasm';
import { webgpuCrossEntropy, webgpuCrossEntropyBackward } from './webgpu';

/** The gradient of `softmaxCrossEntropyOperator`. */
export const softmaxCrossEntropyBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'SoftmaxCrossEntropyBackward',
  publicName: 'softmaxCrossEntropy',
  inputs: { logits: '...rows classes', labels: '...rows', largest: '...rows', logSum: '...rows', dLoss: '' },
  dtypes: { labels: 'int32' },
  outputs: { dLogits: '...rows classes' },
  compose: composedLabelsBackward,
  kernels: { wasm: wasmCrossEntropyBackward, webgpu: webgpuCrossEntropyBackward },
});

/** Cross-entropy of rows that have one class each. What is saved are the two terms of each row's normalizer. */
export const softmaxCrossEntropyOperator = /* @__PURE__ */ defineOperator({
  name: 'SoftmaxCrossEntropy',
  inputs: { logits: '...rows classes', labels: '...rows' },
  dtypes: { labels: 'int32' },
  outputs: { loss: '' },
  saved: { largest: '...rows', logSum: '...rows' },
  compose: composedLabels,
  kernels: { wasm: wasmCrossEntropy, webgpu: webgpuCrossEntropy },
  backward: softmaxCrossEntropyBackwardOperator,
});

/** The gradient of `softmaxCrossEntropyTargetsOperator`. */
export const softmaxCrossEntropyTargetsBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'SoftmaxCrossEntropyTargetsBackward',
  publicName: 'softmaxCrossEntropy',
  inputs: { logits: '...rows classes', labels: '...rows classes', largest: '...rows', logSum: '...rows', dLoss: '' },
  outputs: { dLogits: '...rows classes' },
  compose: composedTargetsBackward,
  kernels: { wasm: wasmCrossEntropyBackward, webgpu: webgpuCrossEntropyBackward },
});

/** Cross-entropy of rows that have a probability for every class. */
export const softmaxCrossEntropyTargetsOperator = /* @__PURE__ */ defineOperator({
  name: 'SoftmaxCrossEntropyTargets',
  publicName: 'softmaxCrossEntropy',
  inputs: { logits: '...rows classes', labels: '...rows classes' },
  outputs: { loss: '' },
  saved: { largest: '...rows', logSum: '...rows' },
  compose: composedTargets,
  kernels: { wasm: wasmCrossEntropy, webgpu: webgpuCrossEntropy },
  backward: softmaxCrossEntropyTargetsBackwardOperator,
});

/**
 * Mean cross-entropy, in nats, between what the rows should be and the softmax of their logits.
 *
 * $$ L = \frac{1}{N} \sum_n \Bigl( \ln \sum_c e^{x_{n,c}} - x_{n, y_n} \Bigr) $$
 *
 * @param logits - `[..., classes]`, float32.
 * @param labels - The class of each row, int32 `[...]`; or a probability for every class (one-hot, smoothed),
 *   float32 `[..., classes]`.
 * @returns Scalar. New tensor; the caller disposes it. 0 if there are no rows.
 * @throws ShapeError if an axis differs; DTypeError if `labels` is neither int32 nor float32. OptionError if a label is not a
 *   class, where the kernel can see it without reading back, which is on WASM; elsewhere such a row adds 0 to the loss and to the
 *   gradient.
 * @remarks O(size) time, for any finite logits; nothing of the size of the logits is kept for the gradient. Differentiable in
 *   `logits`, not in `labels`.
 * @example
 * const loss = softmaxCrossEntropy(model(tokens), next); // [batch, time, vocabulary] and int32 [batch, time]
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Scalar {
  const dtype = (labels as Tensor | undefined)?.dtype;
  if (dtype === 'int32') return softmaxCrossEntropyOperator.run({ logits, labels }).loss;
  if (dtype === undefined || dtype === 'float32') return softmaxCrossEntropyTargetsOperator.run({ logits, labels }).loss;
  throw new DTypeError(`softmaxCrossEntropy: labels must be int32 (classes) or float32 (a probability per class), got ${dtype}`);
}
