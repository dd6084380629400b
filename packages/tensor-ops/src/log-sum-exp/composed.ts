import { add, exp, log, max, mul, reshape, sub, type Tensor } from '@tensorflow/tfjs-core';
import { fromRows, toRows } from '../lines/composed-lines';
import { linesOf } from '../lines/lines';
import { sumOfRows } from '../lines/sum-of-rows';

/** The largest element of each row, and the logarithm of the sum of exponentials relative to it; `[rows, 1]` both. */
export function logSumOfRows(rows: Tensor): { largest: Tensor; logSum: Tensor } {
  const largest = max(rows, 1, true);
  return { largest, logSum: log(sumOfRows(exp(sub(rows, largest)))) };
}

export function composedLogSumExp(
  { x }: { x: Tensor },
  { axis }: { axis: number },
  { outputShapes }: { outputShapes: Readonly<Record<string, number[]>> },
): Record<string, Tensor> {
  const { largest, logSum } = logSumOfRows(toRows(x, linesOf(x.shape, axis)));
  const shape = outputShapes.output!;
  return {
    output: reshape(add(largest, logSum), shape),
    largest: reshape(largest, shape),
    logSum: reshape(logSum, shape),
  };
}

export function composedLogSumExpBackward(
  { x, largest, logSum, dOutput }: { x: Tensor; largest: Tensor; logSum: Tensor; dOutput: Tensor },
  { axis }: { axis: number },
): Record<string, Tensor> {
  const lines = linesOf(x.shape, axis);
  const [top, sum, received] = [largest, logSum, dOutput].map((each) => reshape(each, [-1, 1])) as [Tensor, Tensor, Tensor];
  const weight = exp(sub(sub(toRows(x, lines), top), sum));
  return { dX: fromRows(mul(weight, received), lines, x.shape) };
}
