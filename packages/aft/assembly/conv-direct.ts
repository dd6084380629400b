// The sums of conv-sums.ts for one head whose biases spread so far that no reference serves a segment: every sum has its own, and takes in one element
// after the other. It is slower, and needs nothing of the sizes of keys and biases.
import { splat } from '../../tensor-ops/assembly/math';
import {
  causal,
  centerX,
  centerY,
  dTaps,
  height,
  largests,
  positions,
  received,
  row,
  second,
  slot,
  tail,
  width,
  windowHeight,
  windowWidth,
} from './conv-call';
import { finishElement } from './conv-results';
import { copied, dotHeads, elementLogs, existsAt, keyAt, plainElement, setDirection, valueAt } from './conv-rows';
import { fillRow, LARGEST, REFERENCES } from './conv-sums';
import { expCall } from './slots';
import { NONE } from './sources';

// Slots: an element, then sums, each with its largest log behind its lanes.
const ELEMENT: usize = 4;
const RUNNING: usize = 5;
const BASE: usize = 6;
const RESULT: usize = 7;

function exponential(x: f32): f32 {
  return f32x4.extract_lane(expCall(splat(x)), 0);
}

// @ts-ignore: decorator
@inline
function largestOf(sum: usize): f32 {
  return load<f32>(sum + row);
}

function clearSum(sum: usize): void {
  fillRow(sum, 0.0);
  store<f32>(sum + row, NONE);
}

/** Adds e^(log + rest) times a row to a sum. `rest` is small. */
function include(sum: usize, log: f32, rest: f32, source: usize): void {
  if (log <= NONE / 2) return;
  const largest = largestOf(sum);
  const rises = log > largest;
  const keep = splat(rises ? exponential(largest - log) : 1.0);
  const weight = splat(exponential(rises ? rest : log - largest + rest));
  if (rises) store<f32>(sum + row, log);
  for (let i: usize = 0; i < row; i += 16) {
    v128.store(sum + i, f32x4.add(f32x4.mul(v128.load(sum + i), keep), f32x4.mul(v128.load(source + i), weight)));
  }
}

/** What rounding takes from the sum of two logs: at 1e4 it is as much as moves a weight. */
// @ts-ignore: decorator
@inline
function lostBy(a: f32, b: f32, sum: f32): f32 {
  const taken = sum - a;
  return a - (sum - taken) + (b - taken);
}

/** Takes in the elements of one column, within the window of line `y`. */
function includeColumn(sum: usize, y: i32, x: i32): void {
  const end = min(height, y - centerY + windowHeight);
  for (let other = max(0, y - centerY); other < end; other++) {
    const log = plainElement(other * width + x, slot(ELEMENT));
    include(sum, log, 0.0, slot(ELEMENT));
  }
}

/** The biases of the head start at `kernel`. `carriedLogs` and `carriedRows` as in `lineSums`, and 0 for a grid. */
export function directSums(kernel: usize, carriedLogs: usize, carriedRows: usize): void {
  const element = slot(ELEMENT);
  const running = slot(RUNNING);
  const base = slot(BASE);
  const result = slot(RESULT);
  for (let y: i32 = 0; y < height; y++) {
    clearSum(base);
    for (let other: i32 = 0; other < height; other++) {
      if (other >= y - centerY && other < y - centerY + windowHeight) continue;
      for (let x: i32 = 0; x < width; x++) include(base, plainElement(other * width + x, element), 0.0, element);
    }
    if (!causal) {
      clearSum(running);
      for (let x = width - 1; x >= 0; x--) {
        const beyond = x + windowWidth - centerX;
        if (beyond < width) includeColumn(running, y, beyond);
        const place = y * width + x;
        memory.copy(second + row * place, running, row);
        store<f32>(largests + (<usize>place << 2), largestOf(running));
      }
    }
    clearSum(running);
    for (let x: i32 = 0; x < width; x++) {
      if (x == windowWidth - 1 && carriedLogs != 0) include(running, load<f32>(carriedLogs), 0.0, carriedRows);
      if (x > centerX) includeColumn(running, y, x - centerX - 1);
      memory.copy(result, running, row + 4);
      include(result, largestOf(base), 0.0, base);
      const place = y * width + x;
      if (!causal) include(result, load<f32>(largests + (<usize>place << 2)), 0.0, second + row * place);
      for (let ky = max(0, centerY - y); ky < min(windowHeight, height - y + centerY); ky++) {
        for (let kx = max(0, centerX - x); kx < min(windowWidth, width - x + centerX); kx++) {
          const log = plainElement((y + ky - centerY) * width + x + kx - centerX, element);
          if (log <= NONE / 2) continue;
          const bias = load<f32>(kernel + (<usize>(ky * windowWidth + kx) << 2));
          include(result, log + bias, lostBy(log, bias, log + bias), element);
        }
      }
      fillRow(slot(REFERENCES), largestOf(result));
      finishElement(place, result, slot(REFERENCES));
    }
  }
  if (causal) {
    if (positions >= windowWidth) includeColumn(running, 0, positions - windowWidth);
    memory.copy(slot(LARGEST), running, row);
    fillRow(slot(REFERENCES), largestOf(running));
  }
}

/** Adds to the scalars of `dTaps` what each pair of target and source gives to its bias. */
export function directTapGradients(kernel: usize): void {
  const logs = slot(ELEMENT);
  const dot = slot(RUNNING);
  for (let place = tail; place < positions; place++) {
    setDirection(true);
    const has = elementLogs(positions - 1 - place, logs);
    setDirection(false);
    if (!has) continue;
    const y = place / width;
    const x = place % width;
    const gradients = received + row * (place - tail);
    for (let ky = max(0, centerY - y); ky < min(windowHeight, height - y + centerY); ky++) {
      for (let kx = max(0, centerX - x); kx < min(windowWidth, width - x + centerX); kx++) {
        const source = (y + ky - centerY) * width + x + kx - centerX;
        if (!existsAt(source)) continue;
        const tap = ky * windowWidth + kx;
        const log = load<f32>(keyAt(source));
        const bias = load<f32>(kernel + (<usize>tap << 2));
        const weight = exponential(log + bias + load<f32>(logs) + lostBy(log, bias, log + bias));
        v128.store(dot, v128.load(gradients));
        dotHeads(copied(1, valueAt(source)), gradients + 4, dot);
        const sum = dTaps + row * tap;
        store<f32>(sum, load<f32>(sum) + weight * load<f32>(dot));
      }
    }
  }
}
