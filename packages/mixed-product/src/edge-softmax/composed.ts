import { add, div, exp, fill, gather, maximum, mul, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { edgesAt, padded } from '../sparse-product/composed';

/** Below every score; finite, for a shader need not keep infinities. */
const NONE = -1e30;

interface EdgeLists {
  edgeRow: Tensor;
  rowStart: Tensor;
  rowEdge: Tensor;
}

/** Joins the values of the edges of every row, one edge of each at a time. */
function overRows(
  values: Tensor,
  { rowStart, rowEdge }: EdgeLists,
  longest: number,
  neutral: number,
  join: (sum: Tensor, next: Tensor) => Tensor,
): Tensor {
  const all = padded(values, 1, neutral);
  let joined: Tensor = fill([values.shape[0]!, rowStart.shape[0]! - 1], neutral);
  for (let place = 0; place < longest; place++) {
    const before = joined;
    joined = tidy(() => join(before, gather(all, edgesAt({ start: rowStart, order: rowEdge }, place), 1)));
    before.dispose();
  }
  return joined;
}

const perEdge = (rows: Tensor, { edgeRow }: EdgeLists): Tensor => gather(rows, edgeRow as never, 1);

export function composedEdgeSoftmax(
  { scores, ...lists }: EdgeLists & { scores: Tensor },
  { longestRow }: { longestRow: number },
): Record<string, Tensor> {
  const largest = overRows(scores, lists, longestRow, NONE, maximum);
  const weights = exp(sub(scores, perEdge(largest, lists)));
  const totals = overRows(weights, lists, longestRow, 0, add);
  return { weights: div(weights, perEdge(totals, lists)) };
}

export function composedEdgeSoftmaxBackward(
  { weights, dWeights, ...lists }: EdgeLists & { weights: Tensor; dWeights: Tensor },
  { longestRow }: { longestRow: number },
): Record<string, Tensor> {
  const received = mul(weights, dWeights);
  const means = overRows(received, lists, longestRow, 0, add);
  return { dScores: mul(weights, sub(dWeights, perEdge(means, lists))) };
}
