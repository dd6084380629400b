// Softmax and what is made of it, over rows of any width. Axes other than the last are swapped before and after.
import { SPAN } from './lines';
import { loadLanes, madd, scalarExp, scalarLog, splat, storeLanes, sumLanes } from './math';
import { exponentialsOf, largestOf, scaleBy } from './softmax-row';

export { swapAxes } from './swap-axes';

/**
 * A row without anything to attend to gives 0. There are `maskRows` rows of the mask, which serve the rows of `x` in turn.
 *
 * Three rows are under way at once: one is searched for its largest element while the exponentials of the one before are taken and the one before that
 * is scaled. What ends a step over a row, the maximum and the sum across lanes and the division, is then never waited for, which short rows spend half their time on.
 */
export function softmax(x: usize, mask: usize, maskRows: i32, output: usize, rows: i32, width: i32): void {
  const row = <usize>width << 2;
  let largest = splat(0.0), next = largest;
  let factor: f32 = 0;
  let own: usize = 0, nextOwn: usize = 0;
  for (let r = 0; r < rows + 2; r++) {
    if (r < rows) {
      if (mask != 0) nextOwn = mask + row * (r % maskRows);
      next = largestOf(x + row * r, nextOwn, width);
    }
    if (r >= 2) scaleBy(output + row * (r - 2), width, factor);
    if (r >= 1 && r <= rows) {
      const total = exponentialsOf(x + row * (r - 1), own, output + row * (r - 1), true, width, largest);
      factor = total == 0 ? 0 : <f32>1 / total;
    }
    largest = next;
    own = nextOwn;
  }
}

export function softmaxBackward(output: usize, dOutput: usize, dX: usize, rows: i32, width: i32): void {
  const row = <usize>width << 2;
  for (let r = 0; r < rows; r++) {
    let total = splat(0.0);
    for (let begin = 0; begin < width; begin += SPAN) {
      let sum = splat(0.0);
      const end = min(width, begin + SPAN);
      let i = begin;
      for (; i + 4 <= end; i += 4) {
        const at = <usize>i << 2;
        sum = madd(v128.load(output + at), v128.load(dOutput + at), sum);
      }
      if (i < end) sum = madd(loadLanes(output + (<usize>i << 2), end - i), loadLanes(dOutput + (<usize>i << 2), end - i), sum);
      total = f32x4.add(total, sum);
    }
    const mean = splat(sumLanes(total));
    let i = 0;
    for (; i + 4 <= width; i += 4) {
      const at = <usize>i << 2;
      v128.store(dX + at, f32x4.mul(v128.load(output + at), f32x4.sub(v128.load(dOutput + at), mean)));
    }
    if (i < width) {
      const at = <usize>i << 2;
      const gradient = f32x4.mul(loadLanes(output + at, width - i), f32x4.sub(loadLanes(dOutput + at, width - i), mean));
      storeLanes(dX + at, gradient, width - i);
    }
    output += row;
    dOutput += row;
    dX += row;
  }
}

/** As calls, for what follows: code is shipped, so it is kept short. */
function largestIn(x: usize, width: i32): f32 {
  return f32x4.extract_lane(largestOf(x, 0, width), 0);
}

/** `target` may be 0. */
function exponentialsIn(x: usize, target: usize, width: i32, largest: f32): f32 {
  return exponentialsOf(x, 0, target, target != 0, width, splat(largest));
}

/** `largest` and `logSum`, whose sum is `output`, are wanted for the gradient; both may be 0. */
export function logSumExp(x: usize, output: usize, largest: usize, logSum: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    const top = largestIn(x, width);
    const sum = scalarLog(exponentialsIn(x, 0, width, top));
    const at = <usize>r << 2;
    store<f32>(output + at, top + sum);
    if (largest != 0) {
      store<f32>(largest + at, top);
      store<f32>(logSum + at, sum);
    }
    x += <usize>width << 2;
  }
}

/** factor softmax(x) of a row. */
function weigh(x: usize, target: usize, width: i32, largest: f32, logSum: f32, factor: f32): void {
  exponentialsIn(x, target, width, largest);
  scaleBy(target, width, factor * scalarExp(-logSum));
}

export function logSumExpBackward(x: usize, largest: usize, logSum: usize, dOutput: usize, dX: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>width << 2;
    weigh(x + row, dX + row, width, load<f32>(largest + at), load<f32>(logSum + at), load<f32>(dOutput + at));
  }
}

/** The first row whose label is no class, or -1. */
export function strangeLabel(labels: usize, rows: i32, classes: i32): i32 {
  for (let r = 0; r < rows; r++) if (load<u32>(labels + (<usize>r << 2)) >= <u32>classes) return r;
  return -1;
}

/**
 * The mean loss of rows of logits. Each row has a label, or a row of `targets` with the probability of every class; the other
 * pointer is 0.
 */
export function crossEntropy(
  logits: usize,
  labels: usize,
  targets: usize,
  loss: usize,
  largest: usize,
  logSum: usize,
  rows: i32,
  classes: i32,
): void {
  let total: f64 = 0;
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>classes << 2;
    const top = largestIn(logits + row, classes);
    const sum = scalarLog(exponentialsIn(logits + row, 0, classes, top));
    if (largest != 0) {
      store<f32>(largest + at, top);
      store<f32>(logSum + at, sum);
    }
    // The largest logit is taken off first: it may be far above the loss.
    if (labels != 0) {
      total += <f64>(top - load<f32>(logits + row + (<usize>load<u32>(labels + at) << 2)) + sum);
      continue;
    }
    for (let begin = 0; begin < classes; begin += SPAN) {
      let part = splat(0.0);
      const end = min(classes, begin + SPAN);
      for (let i = begin; i < end; i += 4) {
        const j = row + (<usize>i << 2);
        const surprise = f32x4.add(f32x4.sub(splat(top), loadLanes(logits + j, end - i)), splat(sum));
        part = madd(loadLanes(targets + j, end - i), surprise, part);
      }
      total += <f64>sumLanes(part);
    }
  }
  store<f32>(loss, <f32>(total / <f64>rows));
}

export function crossEntropyBackward(
  logits: usize,
  labels: usize,
  targets: usize,
  largest: usize,
  logSum: usize,
  dLoss: usize,
  dLogits: usize,
  rows: i32,
  classes: i32,
): void {
  const scale = load<f32>(dLoss) / <f32>rows;
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>classes << 2;
    let mass: f32 = 1;
    if (targets != 0) {
      let sum = splat(0.0);
      for (let i = 0; i < classes; i += 4) sum = f32x4.add(sum, loadLanes(targets + row + (<usize>i << 2), classes - i));
      mass = sumLanes(sum);
    }
    weigh(logits + row, dLogits + row, classes, load<f32>(largest + at), load<f32>(logSum + at), scale * mass);
    if (labels != 0) {
      const own = dLogits + row + (<usize>load<u32>(labels + at) << 2);
      store<f32>(own, load<f32>(own) - scale);
      continue;
    }
    for (let i = 0; i < classes; i += 4) {
      const j = row + (<usize>i << 2);
      const gradient = f32x4.sub(loadLanes(dLogits + j, classes - i), f32x4.mul(loadLanes(targets + j, classes - i), splat(scale)));
      storeLanes(dLogits + j, gradient, classes - i);
    }
  }
}
