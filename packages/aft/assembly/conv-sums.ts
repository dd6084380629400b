// For every place of a tile the sum over all places, weighed by taps within the window and by 1 beyond it, all terms positive. Sums are relative to
// references per head that no term exceeds by much: one for the whole grid, or for a causal line one per segment of it.
import { maximum, splat } from '../../tensor-ops/assembly/math';
import { convolveLine } from '../../tensor-ops/assembly/taps';
import {
  centerX,
  centerY,
  columns,
  first,
  headChannels,
  height,
  lines,
  positions,
  row,
  SEGMENT,
  second,
  slot,
  table,
  taps,
  tileHeads,
  width,
  windowHeight,
  windowWidth,
} from './conv-call';
import { finishElement } from './conv-results';
import { elementLogs, packElement } from './conv-rows';
import { expCall } from './slots';
import { NONE, SPAN } from './sources';

// Slots of single rows; the first two are free for the functions of conv-rows.ts.
export const REFERENCES: usize = 2;
export const LARGEST: usize = 3;
const LOGS: usize = 4;
const TOTAL: usize = 5;
const CURRENT: usize = 6;
const BASE: usize = 7;
const EARLIER: usize = 8;

/** How far a segment's keys may rise above its reference. */
const RISE: f32 = 10.0;

export function fillRow(target: usize, x: f32): void {
  for (let i: usize = 0; i < row; i += 16) v128.store(target + i, splat(x));
}

/** Adds a row to another. */
export function addRow(target: usize, source: usize): void {
  for (let i: usize = 0; i < row; i += 16) v128.store(target + i, f32x4.add(v128.load(target + i), v128.load(source + i)));
}

/** Takes the next row into a running sum, if there is one, and adds the sum to a row of results. The last few steps stand apart, for precision. */
// @ts-ignore: decorator
@inline
function advance(next: usize, result: usize, closes: bool): void {
  const total = slot(TOTAL);
  const current = slot(CURRENT);
  for (let i: usize = 0; i < row; i += 16) {
    let sum = v128.load(current + i);
    if (next != 0) sum = f32x4.add(sum, v128.load(next + i));
    const whole = f32x4.add(v128.load(total + i), sum);
    if (result != 0) v128.store(result + i, f32x4.add(v128.load(result + i), whole));
    if (closes) v128.store(total + i, whole);
    v128.store(current + i, closes ? splat(0.0) : sum);
  }
}

function convolve(rows: usize, results: usize, y: i32, begin: i32, end: i32): void {
  const from = rows + row * ((y - centerY) * width - centerX);
  const to = results + row * (y * width);
  convolveLine(from, taps, to, table, y, begin, end, height, width, <i32>(row >> 2), windowHeight, windowWidth, centerY, centerX, 1, false);
}

/** The references of a whole grid: the largest log of each head. */
export function gridReferences(): void {
  const references = slot(REFERENCES);
  const logs = slot(LOGS);
  fillRow(references, NONE);
  for (let i: i32 = 0; i < positions; i++) {
    if (!elementLogs(i, logs)) continue;
    for (let h: i32 = 0; h < tileHeads; h += 4) {
      const lane = <usize>h << 2;
      v128.store(references + lane, maximum(v128.load(logs + lane), v128.load(references + lane)));
    }
  }
}

/** The sum of the lines beyond the window of line `y` to the base, and those within it, column by column. */
function gatherLines(y: i32): void {
  const base = slot(BASE);
  const begin = max(0, y - centerY);
  const end = min(height, y - centerY + windowHeight);
  for (let other: i32 = 0; other < height; other++) {
    if (other < begin || other >= end) addRow(base, lines + <usize>other * row);
  }
  memory.copy(columns, first + row * (begin * width), row * width);
  for (let other = begin + 1; other < end; other++) {
    for (let x: i32 = 0; x < width; x++) addRow(columns + row * x, first + row * (other * width + x));
  }
}

/** The sums of a grid, with one reference. */
export function gridSums(): void {
  const references = slot(REFERENCES);
  gridReferences();
  for (let i: i32 = 0; i < positions; i++) packElement(i, first + row * i, references);
  if (height > 1) {
    for (let y: i32 = 0; y < height; y++) {
      fillRow(slot(TOTAL), 0.0);
      fillRow(slot(CURRENT), 0.0);
      for (let x: i32 = 0; x < width; x++) advance(first + row * (y * width + x), 0, x % SPAN == SPAN - 1 || x == width - 1);
      memory.copy(lines + row * y, slot(TOTAL), row);
    }
  }
  for (let y: i32 = 0; y < height; y++) {
    convolve(first, second, y, 0, width);
    const results = second + row * (y * width);
    fillRow(slot(BASE), 0.0);
    if (height > 1) gatherLines(y);
    const column = height > 1 ? columns : first;
    memory.copy(slot(TOTAL), slot(BASE), row);
    fillRow(slot(CURRENT), 0.0);
    for (let x = width - 1; x >= 0; x--) {
      const beyond = x + windowWidth - centerX;
      advance(beyond < width ? column + row * beyond : 0, results + row * x, x % SPAN == 0);
    }
    fillRow(slot(TOTAL), 0.0);
    fillRow(slot(CURRENT), 0.0);
    for (let x = centerX + 1; x < width; x++) {
      advance(column + row * (x - centerX - 1), results + row * x, x % SPAN == SPAN - 1);
    }
  }
  for (let i: i32 = 0; i < positions; i++) finishElement(i, second + row * i, references);
}

// A causal line, segment by segment. What precedes the line, if anything, counts as an element before the first, which no tap reads.
let carriedLogs: usize = 0;
let carriedRows: usize = 0;

/** Takes an element's logs into the largest so far, unless a head of it rises too far above its reference. */
function rises(i: i32): bool {
  const logs = slot(LOGS);
  const largest = slot(LARGEST);
  const references = slot(REFERENCES);
  const has = elementLogs(i, logs);
  const carries = carriedLogs != 0 && i == windowWidth - 1;
  if (!has && !carries) return false;
  let over = false;
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    let next = v128.load(largest + lane);
    if (has) next = maximum(v128.load(logs + lane), next);
    if (carries) next = maximum(v128.load(carriedLogs + lane), next);
    over = over || v128.any_true(f32x4.gt(next, f32x4.add(v128.load(references + lane), splat(RISE))));
    v128.store(logs + lane, next);
  }
  if (!over) memory.copy(largest, logs, row);
  return over;
}

/** Sets the references to the largest logs up to and with element `i`, and returns the end of the segment that they serve. */
export function beginSegment(i: i32): i32 {
  const references = slot(REFERENCES);
  fillRow(references, f32(Infinity));
  rises(i);
  memory.copy(references, slot(LARGEST), row);
  let end = i + 1;
  const last = min(positions, i + SEGMENT);
  while (end < last && !rises(end)) end++;
  return end;
}

/** Before the first segment. `logs` and `rows` are those of what precedes the line, or 0. */
export function beginLine(logs: usize, rows: usize): void {
  carriedLogs = logs;
  carriedRows = rows;
  fillRow(slot(LARGEST), NONE);
}

/** Rescales running sums from earlier references to those of now. Lanes of a head change alike; so do the two parts of the sum. */
function rescale(): void {
  const factors = slot(0);
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    v128.store(factors + lane, expCall(f32x4.sub(v128.load(slot(EARLIER) + lane), v128.load(slot(REFERENCES) + lane))));
  }
  scaleRow(slot(TOTAL), factors);
  scaleRow(slot(CURRENT), factors);
}

/** Scales the lanes of each head by a number of its own. */
function scaleRow(target: usize, factors: usize): void {
  for (let h: i32 = 0; h < tileHeads; h++) {
    const factor = load<f32>(factors + (<usize>h << 2));
    const scalar = target + (<usize>h << 2);
    store<f32>(scalar, load<f32>(scalar) * factor);
    const channels = target + (<usize>(tileHeads + h * headChannels) << 2);
    for (let c: i32 = 0; c < headChannels; c++) {
      const channel = channels + (<usize>c << 2);
      store<f32>(channel, load<f32>(channel) * factor);
    }
  }
}

/** Takes what precedes the line into the running sums. */
function includeCarried(): void {
  const factors = slot(0);
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    v128.store(factors + lane, expCall(f32x4.sub(v128.load(carriedLogs + lane), v128.load(slot(REFERENCES) + lane))));
  }
  const rows = slot(1);
  memory.copy(rows, carriedRows, row);
  scaleRow(rows, factors);
  addRow(slot(TOTAL), rows);
}

/** The sums of a causal line. Afterwards TOTAL holds, relative to REFERENCES, what the window has left behind after the last place. */
export function lineSums(logs: usize, rows: usize): void {
  const references = slot(REFERENCES);
  beginLine(logs, rows);
  fillRow(slot(TOTAL), 0.0);
  fillRow(slot(CURRENT), 0.0);
  fillRow(references, NONE);
  for (let begin: i32 = 0; begin < positions; ) {
    memory.copy(slot(EARLIER), references, row);
    const end = beginSegment(begin);
    rescale();
    const origin = max(0, begin - windowWidth);
    for (let i = origin; i < end; i++) packElement(i, first + row * (i - origin), references);
    const packed = first - row * origin;
    const results = second - row * begin;
    convolve(packed, results, 0, begin, end);
    for (let i = begin; i < end; i++) {
      if (i == windowWidth - 1 && carriedLogs != 0) includeCarried();
      const left = i - windowWidth;
      advance(left >= 0 ? packed + row * left : 0, results + row * i, i % SPAN == SPAN - 1);
      finishElement(i, results + row * i, references);
    }
    begin = end;
    if (begin == positions) {
      const left = positions - windowWidth;
      advance(left >= 0 ? packed + row * left : 0, 0, true);
    }
  }
}
