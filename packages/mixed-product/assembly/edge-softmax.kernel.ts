// Softmax of scores that stand on edges, over the edges of each row. Rows are short, so lanes are gathered one by one.
import { scalarExp } from '../../tensor-ops/assembly/math';

/** Longer than any exponent that counts. */
const NONE: f32 = -3.4e38;

/** weights[b, e] = exp(scores[b, e]) / sum over the edges of the row of e. */
export function softmax(scores: usize, start: usize, order: usize, weights: usize, batch: i32, rows: i32, edges: i32): void {
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      const begin = load<i32>(start + (<usize>i << 2));
      const end = load<i32>(start + (<usize>i << 2), 4);
      let largest = NONE;
      for (let j = begin; j < end; j++) {
        // Written so that NaN is kept.
        const score = load<f32>(scores + edge(order, j));
        largest = largest >= score ? largest : score;
      }
      let total: f64 = 0;
      for (let j = begin; j < end; j++) {
        const e = edge(order, j);
        const weight = scalarExp(load<f32>(scores + e) - largest);
        store<f32>(weights + e, weight);
        total += weight;
      }
      const share = <f32>(1.0 / total);
      for (let j = begin; j < end; j++) {
        const e = edge(order, j);
        store<f32>(weights + e, load<f32>(weights + e) * share);
      }
    }
    scores += <usize>edges << 2;
    weights += <usize>edges << 2;
  }
}

/** dScores = weights (dWeights - sum over the row of weights dWeights). */
export function softmaxBackward(
  weights: usize, dWeights: usize, start: usize, order: usize, dScores: usize, batch: i32, rows: i32, edges: i32,
): void {
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      const begin = load<i32>(start + (<usize>i << 2));
      const end = load<i32>(start + (<usize>i << 2), 4);
      let mean: f64 = 0;
      for (let j = begin; j < end; j++) {
        const e = edge(order, j);
        mean += <f64>load<f32>(weights + e) * load<f32>(dWeights + e);
      }
      for (let j = begin; j < end; j++) {
        const e = edge(order, j);
        store<f32>(dScores + e, <f32>(load<f32>(weights + e) * (load<f32>(dWeights + e) - mean)));
      }
    }
    weights += <usize>edges << 2;
    dWeights += <usize>edges << 2;
    dScores += <usize>edges << 2;
  }
}

/** The offset of the edge at place j. */
// @ts-ignore: decorator
@inline
function edge(order: usize, j: i32): usize {
  return <usize>load<i32>(order + (<usize>j << 2)) << 2;
}
