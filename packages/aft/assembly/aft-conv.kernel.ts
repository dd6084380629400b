// AFT-conv over time and over grids, and its gradients. Denominators are sums per head, so a source is a row of a scalar and channels per head, and
// both directions are one kind of sum: of sources for a target, and of targets for a source with the grid read from its end.
import { splat } from '../../tensor-ops/assembly/math';
import { addTapGradients } from '../../tensor-ops/assembly/taps';
import {
  batch,
  beginTiles,
  causal,
  centerX,
  centerY,
  dTaps,
  first,
  firstChannel,
  firstHead,
  headChannels,
  headDim,
  heads,
  height,
  isDirect,
  isFurtherPart,
  lostTaps,
  nextTile,
  placeScratch,
  positions,
  row,
  scalarBytes,
  second,
  slot,
  tail,
  taps,
  tileHeads,
  width,
  windowHeight,
  windowWidth,
} from './conv-call';
import { directSums, directTapGradients } from './conv-direct';
import {
  denominators,
  existsAt,
  keyAt,
  memoryOf,
  numerators,
  packElement,
  packReceived,
  placeBackward,
  placeForward,
  placeSources,
  scaleHeads,
  setDirection,
  valueAt,
  windowKeys,
  windowValues,
} from './conv-rows';
import { beginLine, beginSegment, fillRow, gridReferences, gridSums, LARGEST, lineSums, REFERENCES } from './conv-sums';
import { expCall } from './slots';
import { NONE } from './sources';

export { configure } from './conv-call';

// Slots of what precedes a line.
const CARRIED_LOGS: usize = 9;
const CARRIED_ROWS: usize = 10;
const NEGATIVE: usize = 11;

/** e^bias for every lane of the tile, tap by tap. */
function prepareTaps(kernel: usize): void {
  const size = windowHeight * windowWidth;
  const channels = <usize>headChannels << 2;
  for (let r: i32 = 0; r < size; r++) {
    const lanes = taps + row * r;
    v128.store(lanes + row - 16, splat(0.0));
    v128.store(lanes + row - 32, splat(0.0));
    let target = lanes + scalarBytes();
    for (let h: i32 = 0; h < tileHeads; h++) {
      const weight = expCall(v128.load32_splat(kernel + (<usize>((firstHead + h) * size + r) << 2)));
      v128.store_lane<f32>(lanes + (<usize>h << 2), weight, 0);
      for (let c: usize = 0; c < channels; c += 4) v128.store_lane<f32>(target + c, weight, 0);
      target += channels;
    }
  }
}

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

/** Adds what each pair of target and source gives to the gradient of its tap. Sources are in `first`, targets in `second`. */
function addGradients(y: i32, sources: usize, targets: usize, begin: i32, end: i32): void {
  const lanes = <i32>(row >> 2);
  addTapGradients(
    sources,
    targets,
    dTaps,
    lostTaps,
    y,
    begin,
    end,
    height,
    width,
    lanes,
    windowHeight,
    windowWidth,
    centerY,
    centerX,
    1,
  );
}

/** Rows of targets relative to the references of sources, in ascending order of their places. */
function packTargets(begin: i32, end: i32, to: usize): void {
  const negative = slot(NEGATIVE);
  for (let i: usize = 0; i < row; i += 16) v128.store(negative + i, f32x4.neg(v128.load(slot(REFERENCES) + i)));
  setDirection(true);
  for (let place = begin; place < end; place++) packElement(positions - 1 - place, to + row * (place - begin), negative);
  setDirection(false);
}

function tapGradients(): void {
  setDirection(false);
  if (!causal) {
    gridReferences();
    for (let i: i32 = 0; i < positions; i++) packElement(i, first + row * i, slot(REFERENCES));
    packTargets(0, positions, second);
    for (let y: i32 = 0; y < height; y++) {
      const line = row * (y * width);
      addGradients(y, first + line, second + line, 0, width);
    }
    return;
  }
  beginLine(0, 0);
  for (let begin: i32 = 0; begin < positions; ) {
    const end = beginSegment(begin);
    const origin = max(0, begin - windowWidth);
    for (let i = origin; i < end; i++) packElement(i, first + row * (i - origin), slot(REFERENCES));
    packTargets(begin, end, second);
    addGradients(0, first - row * origin, second - row * begin, begin, end);
    begin = end;
  }
}

/** The gradient of the tile's biases from the sums over lanes. */
function finishTaps(kernel: usize, dKernel: usize): void {
  const size = windowHeight * windowWidth;
  for (let h: i32 = 0; h < tileHeads; h++) {
    for (let r: i32 = 0; r < size; r++) {
      const lanes = dTaps + row * r;
      let sum = load<f32>(lanes + (<usize>h << 2));
      if (!isDirect) {
        const channels = lanes + scalarBytes() + (<usize>(h * headChannels) << 2);
        for (let c: i32 = 0; c < headChannels; c++) sum += load<f32>(channels + (<usize>c << 2));
        sum *= load<f32>(taps + row * r + (<usize>h << 2));
      }
      const gradient = dKernel + (<usize>((firstHead + h) * size + r) << 2);
      store<f32>(gradient, isFurtherPart ? load<f32>(gradient) + sum : sum);
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
