// AFT-conv over time and over grids, and its gradients. Denominators are sums per head, so a source is a row of a scalar and channels per head, and
// both directions are one kind of sum: of sources for a target, and of targets for a source with the grid read from its end.
import { splat } from '../../tensor-ops/assembly/math';
import { batch, beginTiles, causal, dTaps, firstChannel, firstHead, headChannels, headDim, heads, isDirect, isFurtherPart, lostTaps, nextTile, placeScratch, positions, row, scalarBytes, slot, tail, tileHeads, windowHeight, windowWidth } from './conv-call';
import { directSums, directTapGradients } from './conv-direct';
import { denominators, existsAt, keyAt, memoryOf, numerators, packReceived, placeBackward, placeForward, placeSources, scaleHeads, setDirection, valueAt, windowKeys, windowValues } from './conv-rows';
import { fillRow, gridSums, LARGEST, lineSums, REFERENCES } from './conv-sums';
import { finishTaps, prepareTaps, tapGradients } from './conv-taps';
import { expCall } from './slots';
import { NONE } from './sources';

export { configure } from './conv-call';

// Slots of what precedes a line.
const CARRIED_LOGS: usize = 9;
const CARRIED_ROWS: usize = 10;

/** The tile of a memory's sums as a row, with its logs times `sign`. */
function carry(logs: usize, rows: usize, sign: f32): void {
  const offset = <usize>firstHead << 2;
  fillRow(slot(CARRIED_ROWS), 0.0);
  fillRow(slot(CARRIED_LOGS), 0.0);
  for (let h: i32 = 0; h < tileHeads; h++) {
    const log = load<f32>(logs + offset + (<usize>h << 2));
    // What holds nothing weighs nothing, whatever the sign.
    store<f32>(slot(CARRIED_LOGS) + (<usize>h << 2), log <= NONE / 2 ? NONE : sign * log);
  }
  memory.copy(slot(CARRIED_ROWS), rows + denominators() + offset, scalarBytes());
  memory.copy(
    slot(CARRIED_ROWS) + scalarBytes(),
    rows + numerators() + (<usize>firstChannel << 2),
    <usize>(tileHeads * headChannels) << 2,
  );
}

/** The sums of the tile, in the direction set. `states` is 0 for none. */
function sums(kernel: usize, carried: bool): void {
  const logs = carried ? slot(CARRIED_LOGS) : 0;
  const rows = carried ? slot(CARRIED_ROWS) : 0;
  if (isDirect) directSums(kernel + (<usize>(firstHead * windowHeight * windowWidth) << 2), logs, rows);
  else if (causal) lineSums(logs, rows);
  else gridSums();
}

/** What the window has left behind, as `lineSums` and `directSums` leave it: rows relative to REFERENCES. */
// @ts-ignore: decorator
@inline
function leftBehind(): usize {
  return isDirect ? slot(LARGEST) : slot(5);
}

/** Copies the tile's part of the last sources, for the next call to begin with. */
function keepWindow(target: usize): void {
  for (let i: i32 = 0; i < tail; i++) {
    const place = positions - tail + i;
    const keys = windowKeys(target) + (<usize>(i * heads + firstHead) << 2);
    const values = windowValues(target) + (<usize>(i * heads * headDim + firstChannel) << 2);
    const bytes = <usize>(tileHeads * headChannels) << 2;
    if (existsAt(place)) {
      memory.copy(keys, keyAt(place), scalarBytes());
      memory.copy(values, valueAt(place), bytes);
    } else {
      for (let h: usize = 0; h < scalarBytes(); h += 4) store<f32>(keys + h, NONE);
      memory.fill(values, 0, bytes);
    }
  }
}

/** Pointers may be 0 for what a call has not; `context`, `logNormalizer` and `logRest` are all 0 when they are not wanted. */
export function forward(
  scratch: usize,
  query: usize,
  key: usize,
  value: usize,
  kernel: usize,
  mask: usize,
  past: usize,
  output: usize,
  context: usize,
  logNormalizer: usize,
  logRest: usize,
  finalMemory: usize,
): void {
  placeScratch(scratch, false);
  setDirection(false);
  beginTiles();
  while (nextTile(kernel)) {
    prepareTaps(kernel);
    for (let b: i32 = 0; b < batch; b++) {
      placeSources(b, key, value, mask, past);
      placeForward(b, query, output, context, logNormalizer, logRest);
      if (past != 0) carry(memoryOf(past, b), memoryOf(past, b), 1.0);
      sums(kernel, past != 0);
      if (past == 0) continue;
      const target = memoryOf(finalMemory, b);
      const offset = <usize>firstHead << 2;
      for (let h: usize = 0; h < scalarBytes(); h += 4) {
        // Sums of nothing have no largest key.
        store<f32>(target + offset + h, load<f32>(leftBehind() + h) == 0.0 ? NONE : load<f32>(slot(REFERENCES) + h));
      }
      memory.copy(target + denominators() + offset, leftBehind(), scalarBytes());
      memory.copy(
        target + numerators() + (<usize>firstChannel << 2),
        leftBehind() + scalarBytes(),
        <usize>(tileHeads * headChannels) << 2,
      );
      keepWindow(target);
    }
  }
}

/** The gradient of a memory's sums from what the sums of targets leave behind. The largest log is held constant, for it cancels in every use of them. */
function finishMemory(past: usize, dMemory: usize): void {
  const offset = <usize>firstHead << 2;
  const factors = slot(0);
  for (let h: i32 = 0; h < tileHeads; h++) {
    const lane = <usize>h << 2;
    const log = load<f32>(past + offset + lane);
    const weight = expCall(splat(log + load<f32>(slot(REFERENCES) + lane)));
    v128.store_lane<f32>(factors + lane, log > NONE / 2 ? weight : splat(0.0), 0);
    const scalar = dMemory + denominators() + offset + lane;
    const sum = load<f32>(factors + lane) * load<f32>(leftBehind() + lane);
    store<f32>(scalar, isFurtherPart ? load<f32>(scalar) + sum : sum);
    store<f32>(dMemory + offset + lane, 0.0);
  }
  scaleHeads(factors, leftBehind() + scalarBytes(), slot(1));
  memory.copy(dMemory + numerators() + (<usize>firstChannel << 2), slot(1), <usize>(tileHeads * headChannels) << 2);
}

export function backward(
  scratch: usize,
  query: usize,
  key: usize,
  value: usize,
  kernel: usize,
  mask: usize,
  past: usize,
  context: usize,
  logNormalizer: usize,
  logRest: usize,
  finalMemory: usize,
  dOutput: usize,
  dFinalMemory: usize,
  dQuery: usize,
  dKey: usize,
  dValue: usize,
  dKernel: usize,
  dMemory: usize,
): void {
  placeScratch(scratch, true);
  beginTiles();
  while (nextTile(kernel)) {
    prepareTaps(kernel);
    memory.fill(dTaps, 0, row * (windowHeight * windowWidth));
    memory.fill(lostTaps, 0, row * (windowHeight * windowWidth));
    for (let b: i32 = 0; b < batch; b++) {
      placeSources(b, key, value, mask, past);
      placeForward(b, query, 0, context, logNormalizer, logRest);
      placeBackward(b, dOutput, dQuery, dKey, dValue, dMemory, dFinalMemory);
      packReceived();
      if (isDirect) directTapGradients(kernel + (<usize>(firstHead * windowHeight * windowWidth) << 2));
      else tapGradients();
      setDirection(true);
      if (past != 0) carry(memoryOf(finalMemory, b), memoryOf(dFinalMemory, b), -1.0);
      sums(kernel, past != 0);
      if (past != 0) finishMemory(memoryOf(past, b), memoryOf(dMemory, b));
    }
    finishTaps(kernel, dKernel);
  }
}
