import { add, concat, exp, fill, maximum, mul, slice, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { NONE } from './masked-sources';

/** `y[t] = x[t - offset]` along time; what comes from outside is `outside`. */
export function shiftTime(x: Tensor, offset: number, outside: number): Tensor {
  const [batch, time, dim] = x.shape as [number, number, number];
  const distance = Math.abs(offset);
  const border = fill([batch, distance, dim], outside);
  const kept = slice(x, [0, offset > 0 ? 0 : distance, 0], [batch, time - distance, dim]);
  return concat(offset > 0 ? [border, kept] : [kept, border], 1);
}

/** Inclusive scan over time in log2(time) doublings; `combine(parts, distance)` merges every step with the one `distance` away. */
export function scanTime(parts: Tensor[], combine: (parts: Tensor[], distance: number) => Tensor[]): Tensor[] {
  const time = parts[0]!.shape[1]!;
  let current = parts;
  for (let distance = 1; distance < time; distance *= 2) {
    const next = tidy(() => combine(current, distance));
    if (current !== parts) for (const part of current) part.dispose();
    current = next;
  }
  return current;
}

/**
 * Running sums `[batch, time, dim]`, each relative to the largest exponent so far, so that no exponent is positive: per step the exponent `largest`
 * and any number of sums that come with it. From the first step to the last, or back.
 */
export function scanSums([largest, ...sums]: Tensor[], direction: 'forward' | 'backward' = 'forward'): Tensor[] {
  return scanTime([largest!, ...sums], ([current, ...parts], distance) => {
    const offset = direction === 'forward' ? distance : -distance;
    const before = shiftTime(current!, offset, NONE);
    const both = maximum(current!, before);
    const [keep, decay] = [exp(sub(current!, both)), exp(sub(before, both))];
    return [both, ...parts.map((part) => add(mul(part, keep), mul(shiftTime(part, offset, 0), decay)))];
  });
}
