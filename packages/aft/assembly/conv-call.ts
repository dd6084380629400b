// The sizes of a call of AFT-conv, the tile of channels at work, and where in the scratch its parts stand. A grid of one line serves for time.
//
// A tile is some heads with all their channels, or a part of the channels of one head. Its rows hold, as lanes, a scalar per head (the
// denominator's 1, or what a target gives it), then the channels, then zeros up to a multiple of 8.

/** Lanes of a tile at most, so that the rows of a sequence of usual length stay in the cache; fewer where it is long. */
const MOST_LANES: i32 = 64;
const LEAST_LANES: i32 = 16;
const CACHED_LANES: i32 = 98304;

/** Targets per segment of a causal call at most. */
export const SEGMENT: i32 = 1024;

/** Spread of a head's biases, 0 among them, that sums with one reference hold. Beyond it, each sum has a reference of its own. */
const SPREAD: f32 = 40.0;

export let batch: i32 = 0;
export let height: i32 = 0;
export let width: i32 = 0;
export let heads: i32 = 0;
export let headDim: i32 = 0;
export let windowHeight: i32 = 0;
export let windowWidth: i32 = 0;
export let centerY: i32 = 0;
export let centerX: i32 = 0;
export let causal: bool = false;
export let activation: i32 = 0;
/** Sources before the first target, in a call that continues an earlier one. */
export let tail: i32 = 0;
/** Places of the grid, the tail included. */
export let positions: i32 = 0;
let laneLimit: i32 = 0;

// The tile.
export let firstHead: i32 = 0;
export let tileHeads: i32 = 0;
export let firstChannel: i32 = 0;
/** Channels of each head of the tile. */
export let headChannels: i32 = 0;
/** Whether the tile is not the first part of its head. */
export let isFurtherPart: bool = false;
/** Whether each sum has a reference of its own. */
export let isDirect: bool = false;
/** Bytes of a row. */
export let row: usize = 0;

// The scratch. `slots` are single rows: see conv-sums.ts.
export let table: usize = 0;
export let taps: usize = 0;
export let dTaps: usize = 0;
export let lostTaps: usize = 0;
export let slots: usize = 0;
export let lines: usize = 0;
export let columns: usize = 0;
export let largests: usize = 0;
export let first: usize = 0;
export let second: usize = 0;
export let received: usize = 0;

export const SLOTS: i32 = 14;

// @ts-ignore: decorator
@inline
export function slot(n: usize): usize {
  return slots + n * (<usize>laneLimit * 4 + 32);
}

/** Sets the sizes; returns the bytes of scratch that `placeScratch` will divide. */
export function configure(
  batches: i32,
  gridHeight: i32,
  gridWidth: i32,
  dim: i32,
  headCount: i32,
  tapHeight: i32,
  tapWidth: i32,
  isCausal: i32,
  tailLength: i32,
  activationCode: i32,
  isBackward: i32,
): usize {
  batch = batches;
  height = gridHeight;
  width = gridWidth + tailLength;
  heads = headCount;
  headDim = dim / headCount;
  windowHeight = tapHeight;
  windowWidth = tapWidth;
  causal = isCausal != 0;
  centerY = (tapHeight - 1) / 2;
  centerX = causal ? tapWidth - 1 : (tapWidth - 1) / 2;
  tail = tailLength;
  activation = activationCode;
  positions = height * width;
  const rows = causal && !isBackward ? segmentRows() : positions;
  laneLimit = min(MOST_LANES, max(LEAST_LANES, CACHED_LANES / rows)) & -8;
  return placeScratch(0, isBackward != 0);
}

function segmentRows(): i32 {
  return min(positions, SEGMENT + windowWidth);
}

/** Divides the scratch; returns its end. */
export function placeScratch(scratch: usize, isBackward: bool): usize {
  const widest = <usize>laneLimit * 4;
  const tapBytes = widest * (windowHeight * windowWidth);
  const rows = widest * (causal ? segmentRows() : positions) + 64;
  const isGrid = height > 1;
  table = scratch;
  taps = table + ((<usize>(windowHeight * windowWidth) * 8 + 15) & -16);
  dTaps = taps + tapBytes;
  lostTaps = dTaps + (isBackward ? tapBytes : 0);
  slots = lostTaps + (isBackward ? tapBytes : 0);
  lines = slots + SLOTS * (widest + 32);
  columns = lines + (isGrid ? widest * height : 0);
  largests = columns + (isGrid ? widest * width : 0);
  first = largests + ((<usize>(causal ? 0 : positions) * 4 + 15) & -16);
  second = first + rows;
  received = second + rows;
  return received + (isBackward ? widest * positions + 64 : 0);
}

/** Before the first tile. */
export function beginTiles(): void {
  firstHead = 0;
  tileHeads = 0;
  firstChannel = 0;
  headChannels = 0;
}

/** Whether a head's biases spread too far for sums with one reference. */
function isWide(kernel: usize, head: i32): bool {
  const size = windowHeight * windowWidth;
  let low: f32 = 0.0;
  let high: f32 = 0.0;
  for (let r = head * size; r < (head + 1) * size; r++) {
    const bias = load<f32>(kernel + (<usize>r << 2));
    low = min(low, bias);
    high = max(high, bias);
  }
  return high - low > SPREAD;
}

/** Takes the next tile; false after the last. */
export function nextTile(kernel: usize): bool {
  const whole = laneLimit / (1 + headDim);
  if (whole > 0) {
    firstHead += tileHeads;
    if (firstHead >= heads) return false;
    firstChannel = firstHead * headDim;
    headChannels = headDim;
    isFurtherPart = false;
    isDirect = isWide(kernel, firstHead);
    tileHeads = 1;
    while (!isDirect && tileHeads < whole && firstHead + tileHeads < heads && !isWide(kernel, firstHead + tileHeads)) tileHeads++;
  } else {
    firstChannel += headChannels;
    if (firstChannel >= heads * headDim) return false;
    firstHead = firstChannel / headDim;
    isFurtherPart = firstChannel % headDim != 0;
    headChannels = min(laneLimit - 4, (firstHead + 1) * headDim - firstChannel);
    isDirect = isWide(kernel, firstHead);
    tileHeads = 1;
  }
  row = <usize>((tileHeads * (1 + headChannels) + 7) & -8) << 2;
  return true;
}

/** Bytes of the scalars of a row. */
// @ts-ignore: decorator
@inline
export function scalarBytes(): usize {
  return <usize>tileHeads << 2;
}
