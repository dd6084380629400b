import { pad, sum, type Tensor } from '@tensorflow/tfjs-core';
import { labelRuns } from './axis-labels';
import { sizeOf } from './parse-equation';
import { viewAs } from './permute-axes';

type Sizes = Readonly<Record<string, number>>;

/** tfjs adds float32 numbers one after the other: longer sums are made of blocks, or they cost more digits than we promise. */
const LONGEST_SUM = 256;

function sumAxis(x: Tensor, [before, size, after]: readonly [number, number, number]): Tensor {
  // Without an axis of size 1 at the end, before which tfjs would transpose.
  const last = after === 1 ? [] : [after];
  const view = viewAs(x, [before, size, ...last]);
  if (size <= LONGEST_SUM) return sum(view, 1);
  const block = Math.ceil(Math.sqrt(size));
  const blocks = Math.ceil(size / block);
  const paddings = view.shape.map((_, axis) => [0, axis === 1 ? blocks * block - size : 0] as [number, number]);
  const padded = blocks * block === size ? view : pad(view, paddings);
  return sum(sum(viewAs(padded, [before, blocks, block, ...last]), 2), 1);
}

/** The sum over the labels that are not kept; the shape of what is left is the caller's to restore. Sums run by run, each as the middle of three axes, so that nothing is transposed. */
export function sumLabels(x: Tensor, labels: string, isKept: (label: string) => boolean, sizes: Sizes): Tensor {
  let left = labelRuns(labels, isKept);
  let summed = x;
  for (const run of left) {
    if (isKept(run[0]!)) continue;
    const place = left.indexOf(run);
    const sizeOfRuns = (runs: readonly string[]) => sizeOf(runs.join(''), sizes);
    summed = sumAxis(summed, [sizeOfRuns(left.slice(0, place)), sizeOf(run, sizes), sizeOfRuns(left.slice(place + 1))]);
    left = left.filter((other) => other !== run);
  }
  return summed;
}
