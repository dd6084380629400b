import { add, div, equal, exp, fill, mul, range, reshape, sub, sum, type Tensor, where, zerosLike } from '@tensorflow/tfjs-core';
import { sumOfRows } from '../lines/sum-of-rows';
import { logSumOfRows } from '../log-sum-exp/composed';

interface Rows {
  logits: Tensor;
  labels: Tensor;
}

interface Saved extends Rows {
  largest: Tensor;
  logSum: Tensor;
  dLoss: Tensor;
}

type Call = { outputShapes: Readonly<Record<string, number[]>> };

const flat = (x: Tensor, classes: number): Tensor => reshape(x, [-1, classes]);

/**
 * Labels as probabilities, 0 all over a row whose label is no class. By selection: `tf.oneHot` of tfjs-wasm makes floats from the
 * bits of integers.
 */
function oneHotRows({ logits, labels }: Rows): Tensor {
  const classes = logits.shape.at(-1)!;
  const isOwn = equal(reshape(labels, [-1, 1]), reshape(range(0, classes, 1, 'int32'), [1, classes]));
  const ones = fill(isOwn.shape, 1);
  return where(isOwn, ones, zerosLike(ones));
}

export function composedTargets({ logits, labels }: Rows, _: object, { outputShapes }: Call): Record<string, Tensor> {
  const rows = flat(logits, logits.shape.at(-1)!);
  const { largest, logSum } = logSumOfRows(rows);
  // The largest logit is taken off first: it may be far above the loss.
  const surprise = add(sub(largest, rows), logSum);
  const losses = sumOfRows(mul(reshape(labels, rows.shape), surprise));
  const loss = div(sum(sumOfRows(reshape(losses, [1, -1]))), losses.size);
  if (!outputShapes.largest) return { loss };
  return { loss, largest: reshape(largest, outputShapes.largest), logSum: reshape(logSum, outputShapes.logSum!) };
}

export function composedTargetsBackward({ logits, labels, largest, logSum, dLoss }: Saved): Record<string, Tensor> {
  const rows = flat(logits, logits.shape.at(-1)!);
  const targets = reshape(labels, rows.shape);
  const weight = exp(sub(sub(rows, reshape(largest, [-1, 1])), reshape(logSum, [-1, 1])));
  const gradient = sub(mul(weight, sumOfRows(targets)), targets);
  return { dLogits: reshape(mul(gradient, div(dLoss, rows.shape[0]!)), logits.shape) };
}

export function composedLabels(given: Rows, attributes: object, call: Call): Record<string, Tensor> {
  return composedTargets({ logits: given.logits, labels: oneHotRows(given) }, attributes, call);
}

export function composedLabelsBackward(given: Saved): Record<string, Tensor> {
  return composedTargetsBackward({ ...given, labels: oneHotRows(given) });
}
