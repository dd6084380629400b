import { add, cumsum, expandDims, pad, reshape, reverse, slice, sum, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { type ScanAttributes, scanLayout } from './scan-layout';

/** Steps that are added one after the other; longer sums are made of the sums of such blocks, so that rounding does not add up. */
const BLOCK = 32;

/** Running sums of `[rows, time]` over time. */
function scanRows(x: Tensor, exclusive: boolean): Tensor {
  const [rows, time] = x.shape as [number, number];
  if (time <= BLOCK) return cumsum(x, 1, exclusive);
  const blocks = Math.ceil(time / BLOCK);
  const padded = pad(x, [
    [0, 0],
    [0, blocks * BLOCK - time],
  ]);
  const steps = reshape(padded, [rows * blocks, BLOCK]);
  const totals = sum(steps, 1);
  const before = scanRows(reshape(totals, [rows, blocks]), true);
  const sums = add(reshape(cumsum(steps, 1, exclusive), [rows, blocks, BLOCK]), expandDims(before, 2));
  return slice(reshape(sums, [rows, blocks * BLOCK]), [0, 0], [rows, time]);
}

/**
 * tfjs sums over the last axis only, so the axis is brought there; what it gives for a negative axis is wrong, and so is on WebGPU what it
 * gives in reverse.
 */
function scan(x: Tensor, { axis, exclusive, reverse: isReverse }: ScanAttributes): Tensor {
  const { outer, time, inner } = scanLayout(x.shape, axis);
  const ordered = (y: Tensor) => (isReverse ? reverse(y, 1) : y);
  const begun = ordered(reshape(x, [outer, time, inner]));
  const last = inner === 1 ? begun : transpose(begun, [0, 2, 1]);
  const sums = reshape(scanRows(reshape(last, [outer * inner, time]), exclusive), [outer, inner, time]);
  return reshape(ordered(inner === 1 ? reshape(sums, [outer, time, 1]) : transpose(sums, [0, 2, 1])), x.shape);
}

export function composedCumulativeSum({ x }: { x: Tensor }, attributes: ScanAttributes): Record<string, Tensor> {
  return { output: scan(x, attributes) };
}

export function composedCumulativeSumBackward(
  { dOutput }: { dOutput: Tensor },
  attributes: ScanAttributes,
): Record<string, Tensor> {
  return { dX: scan(dOutput, { ...attributes, reverse: !attributes.reverse }) };
}
