import {
  broadcastTo,
  cast,
  div,
  exp,
  fill,
  max,
  maximum,
  mul,
  notEqual,
  reshape,
  sub,
  type Tensor,
  where,
} from '@tensorflow/tfjs-core';
import { fromRows, toRows } from '../lines/composed-lines';
import { linesOf } from '../lines/lines';
import { sumOfRows } from '../lines/sum-of-rows';

/** Below every logit that matters, and near enough to 0 for differences to be finite. */
const LOWEST = -1e38;

export function composedSoftmax(
  { x, mask }: { x: Tensor; mask?: Tensor | undefined },
  { axis }: { axis: number },
): Record<string, Tensor> {
  const lines = linesOf(x.shape, axis);
  const rows = toRows(x, lines);
  if (mask === undefined) {
    const weight = exp(sub(rows, max(rows, 1, true)));
    return { output: fromRows(div(weight, sumOfRows(weight)), lines, x.shape) };
  }
  const attended = notEqual(
    toRows(reshape(broadcastTo(reshape(mask, [1, -1]), [x.size / mask.size, mask.size]), x.shape), lines),
    0,
  );
  // By selection, so that a masked NaN does not survive.
  const seen = where(attended, rows, fill(rows.shape, LOWEST));
  const weight = mul(exp(sub(seen, max(seen, 1, true))), cast(attended, 'float32'));
  // The largest weight is 1, so the sum is at least 1, or 0 if there is nothing to attend to.
  return { output: fromRows(div(weight, maximum(sumOfRows(weight), 1)), lines, x.shape) };
}

export function composedSoftmaxBackward(
  { output, dOutput }: { output: Tensor; dOutput: Tensor },
  { axis }: { axis: number },
): Record<string, Tensor> {
  const lines = linesOf(output.shape, axis);
  const [weight, received] = [toRows(output, lines), toRows(dOutput, lines)];
  const gradient = mul(weight, sub(received, sumOfRows(mul(weight, received))));
  return { dX: fromRows(gradient, lines, output.shape) };
}
