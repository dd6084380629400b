import { sumOfPairs } from '@mixfold/tensor-ops';
import { add, div, mul, reshape, sqrt, sub, type Tensor, transpose } from '@tensorflow/tfjs-core';

/** What is added to the mean square of a query or key. */
export const EPSILON = 1e-6;

/** The root mean square of each row, `[batch heads, source, 1]`. */
const rootMeanSquare = (x: Tensor): Tensor => sqrt(add(div(sumOfPairs(mul(x, x)), x.shape.at(-1)!), EPSILON));

/** Rows over their root mean square, times a gain per channel. */
export const normalizeRows = (x: Tensor, gain: Tensor): Tensor => mul(div(x, rootMeanSquare(x)), gain);

/** With n the rows over their root mean square r: dn = g dy, dx = (dn - n mean(dn n)) / r, dg = sum of dy n over all rows. */
export function normalizeRowsBackward(x: Tensor, gain: Tensor, dY: Tensor): { dX: Tensor; dGain: Tensor } {
  const root = rootMeanSquare(x);
  const unit = div(x, root);
  const dUnit = mul(dY, gain);
  const along = div(sumOfPairs(mul(dUnit, unit)), x.shape.at(-1)!);
  const byChannel = transpose(reshape(mul(dY, unit), [-1, x.shape.at(-1)!]));
  return { dX: div(sub(dUnit, mul(unit, along)), root), dGain: sumOfPairs(byChannel) };
}
