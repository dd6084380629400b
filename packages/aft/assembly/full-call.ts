// What all parts of an AFT-full call read: its tensors and sizes, and how the working memory is shared out. One call at a time.
import { expTimesPower, loadLanes, splat, storeLanes } from '../../tensor-ops/assembly/math';

/** Targets (or, in the gradient, sources) that are worked on at a time. */
export const ROWS: i32 = 32;

/** Sources (or targets) per block: each has its own references for the exponents, and its sums are closed. A multiple of ROWS. */
export const BLOCK: i32 = 128;

/** Bytes of a panel's share of one row: four numerators, then four denominators. */
export const PAIR: usize = 32;

/** A denominator below this has lost digits to underflow, one above its inverse may overflow; such elements are computed directly. */
export const LEAST: f32 = 1e-20;

/** What weighs less than e^FLOOR is 0: it does not count beside LEAST. */
export const FLOOR: f32 = -69.0;

/**
 * Own sources of a causal block may exceed their reference by so much, and then weights that were too small for a factor may count for e^EXCESS as much:
 * beside the least denominator still nothing.
 */
export const EXCESS: f32 = 12.0;
export const CAUSAL_LEAST: f32 = 1e-15;
export const CAUSAL_FLOOR: f32 = -67.0;

/** Both for the first block of a causal call, whose reference is a key like any other. */
export const FIRST_EXCESS: f32 = 24.0;
export const FIRST_LEAST: f32 = 2e-11;

export namespace call {
  export let query: usize = 0;
  export let key: usize = 0;
  export let value: usize = 0;
  /** `[target, source]`, or 0 for a bias in factors. */
  export let bias: usize = 0;
  export let u: usize = 0;
  export let v: usize = 0;
  /** 0 if all sources exist. */
  export let mask: usize = 0;
  export let batch: i32 = 0;
  export let target: i32 = 0;
  export let source: i32 = 0;
  export let dim: i32 = 0;
  export let rank: i32 = 0;
  export let causal: bool = false;
  export let activation: i32 = 0;
  /** Vectors of four channels per batch entry, the last one perhaps not full, and of all batch entries. */
  export let groups: i32 = 0;
  export let panels: i32 = 0;
  /**
   * Factors of products are 2^power times as large, and 0 below e^floor: then no product of two is subnormal. The processor takes a hundred times as
   * long over one that is.
   */
  export let power: f32 = 0.0;
  export let floor: f32 = 0.0;
  /** The address behind what has been taken of the working memory. */
  export let free: usize = 0;
}

export function setSizes(batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool, scratch: usize): void {
  call.batch = batch;
  call.target = target;
  call.source = source;
  call.dim = dim;
  call.rank = rank;
  call.causal = causal;
  call.groups = (dim + 3) >> 2;
  call.panels = batch * call.groups;
  call.free = scratch;
}

/** The power where no room is left. */
export const RAISED: f32 = 39.0;

/** Sets what the factors of a product are multiplied by; `room` leaves some above for what exceeds its references. */
export function raiseFactors(raises: bool, room: bool): void {
  call.power = raises ? (room ? 34.0 : RAISED) : 0.0;
  call.floor = room ? CAUSAL_FLOOR : FLOOR;
}

export function setTensors(query: usize, key: usize, value: usize, bias: usize, u: usize, v: usize, mask: usize, activation: i32): void {
  call.query = query;
  call.key = key;
  call.value = value;
  call.bias = bias;
  call.u = u;
  call.v = v;
  call.mask = mask;
  call.activation = activation;
}

/** Takes `floats` floats of the working memory. */
export function take(floats: usize): usize {
  const at = call.free;
  call.free = (at + (floats << 2) + 63) & ~63;
  return at;
}

// @ts-ignore: decorator
@inline
export function roundUp(x: i32, unit: i32): i32 {
  return (x + unit - 1) & -unit;
}

// @ts-ignore: decorator
@inline
export function blocksOf(length: i32): i32 {
  return (length + BLOCK - 1) / BLOCK;
}

/** A factor of a product: e^x 2^power, and 0 below e^floor. NaN stays. */
// @ts-ignore: decorator
@inline
export function factorOf(x: v128): v128 {
  return v128.andnot(expTimesPower(x, call.power), f32x4.lt(x, splat(call.floor)));
}

/** `channelsOf` as a call, for what is not on a hot path. */
export function loadChannels(tensor: usize, row: usize, group: i32): v128 {
  return channelsOf(tensor, row, group);
}

/** Four channels of a row of `[rows, dim]`; those past the last one are 0. */
// @ts-ignore: decorator
@inline
export function channelsOf(tensor: usize, row: usize, group: i32): v128 {
  const channel = group << 2;
  return fourFrom(tensor + ((row * call.dim + channel) << 2), call.dim - channel);
}

/** Four channels, of which `count` exist; the others are 0. */
// @ts-ignore: decorator
@inline
export function fourFrom(at: usize, count: i32): v128 {
  return count >= 4 ? v128.load(at) : loadFew(at, count);
}

export function storeChannels(tensor: usize, row: usize, group: i32, x: v128): void {
  const channel = group << 2;
  const at = tensor + ((row * call.dim + channel) << 2);
  const count = call.dim - channel;
  if (count >= 4) v128.store(at, x);
  else storeFew(at, x, count);
}

/** Adds to four channels of a row. */
export function addChannels(tensor: usize, row: usize, group: i32, x: v128): void {
  storeChannels(tensor, row, group, f32x4.add(loadChannels(tensor, row, group), x));
}

function loadFew(at: usize, count: i32): v128 {
  return loadLanes(at, count);
}

function storeFew(at: usize, x: v128, count: i32): void {
  storeLanes(at, x, count);
}
