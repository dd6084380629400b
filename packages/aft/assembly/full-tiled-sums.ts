// The sums of AFT-full over tiles of sources, each relative to its own largest keys and biases. They add up relative to a level of each element, a number
// not far below its own log: the largest exponent among the sources where the bias is largest in its tile. A tile whose references exceed the level by more
// than REACH may have lost to underflow what counts; there the exponents are evaluated one by one.
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { expTimesPower, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { biasRows, packWeights } from './full-bias';
import { call, loadChannels, PAIR, RAISED, ROWS, roundUp } from './full-call';
import { direct, sumDirectly } from './full-direct';
import { references } from './full-sources';
import { space } from './full-sum-space';
import { findTileBiases, keysOf, NOTHING, REACH, TILE, tiles, tilesOf } from './full-tiles';
import { expCall } from './slots';
import { exists, NONE } from './sources';

/** A tile's denominator below this, 2^-95 beside the square of the factors' power, counts for nothing at any level within REACH. */
const LEAST_SUM: f32 = 7.62939453125e-6;

/** What sums are multiplied by: 2^RAISED. */
const UNIT: f32 = 549755813888.0;

/** Sets the sums and levels of some targets. A causal one sees its own tile directly, as far as it goes. */
export function sumTiles(begin: i32, count: i32): void {
  const limit = call.causal ? (begin + count - 1) / TILE : tilesOf(call.source);
  findTileBiases(begin, count, limit, space.largest);
  memory.fill(space.sums, 0, <usize>call.panels * PAIR * ROWS);
  for (let i: i32 = 0; i < roundUp(count, 4); i++) {
    const own = call.causal ? (begin + i) / TILE : limit;
    findLevels(i, i < count ? own : 0);
    if (!call.causal || i >= count) continue;
    for (let panel: i32 = 0; panel < call.panels; panel++) addDirectly(panel, i, own * TILE, begin + i + 1, f32x4.eq(splat(0.0), splat(0.0)));
  }
  for (let tile: i32 = 0; tile < limit; tile++) addTile(call.causal ? max(0, (tile + 1) * TILE - begin) : 0, count, tile);
  tiles.elements += count * call.batch * call.dim;
}

// @ts-ignore: decorator
@inline
function levelOf(i: i32, panel: i32): usize {
  return space.levels + (<usize>(panel * ROWS + i) << 4);
}

// @ts-ignore: decorator
@inline
function sumsOf(i: i32, panel: i32): usize {
  return space.sums + <usize>(panel * ROWS + i) * PAIR;
}

function findLevels(i: i32, limit: i32): void {
  const row = tiles.level;
  for (let at = row; at < row + references.row; at += 16) v128.store(at, splat(NONE));
  const whole = <usize>(call.dim >> 2) << 4;
  for (let tile: i32 = 0; tile < limit; tile++) {
    const from = (<usize>tile * ROWS + i) << 2;
    const bias = v128.load32_splat(tiles.relative + from);
    let source = <usize>load<i32>(tiles.places + from);
    for (let b: i32 = 0; b < call.batch; b++, source += call.source) {
      if (!exists(call.mask, source)) continue;
      let at = row + ((<usize>b * call.groups) << 4);
      let key = call.key + ((source * call.dim) << 2);
      for (const end = at + whole; at < end; at += 16, key += 16) raiseLevel(at, v128.load(key), bias);
      if ((call.dim & 3) != 0) raiseLevel(at, loadChannels(call.key, source, call.groups - 1), bias);
    }
  }
  for (let panel: i32 = 0; panel < call.panels; panel++) {
    const at = <usize>panel << 4;
    v128.store(levelOf(i, panel), f32x4.sub(v128.load(row + at), v128.load(tiles.base + at)));
  }
}

// @ts-ignore: decorator
@inline
function raiseLevel(at: usize, key: v128, bias: v128): void {
  v128.store(at, maximum(v128.load(at), f32x4.add(f32x4.nearest(key), bias)));
}

/** Adds some sources to `lanes` of the sums of one row, exponent by exponent. */
function addDirectly(panel: i32, i: i32, from: i32, until: i32, lanes: v128): void {
  sumDirectly(panel / call.groups, panel % call.groups, biasRows.at + biasRows.step * i, from, until);
  const level = levelOf(i, panel);
  const sums = sumsOf(i, panel);
  const before = v128.load(level);
  const ofRow = v128.load32_splat(tiles.rows + (<usize>i << 2));
  const largest = f32x4.sub(f32x4.sub(v128.load(direct.largest), ofRow), v128.load(tiles.base + (<usize>panel << 4)));
  const after = v128.bitselect(maximum(largest, before), before, lanes);
  const kept = expCall(f32x4.sub(before, after));
  const factor = v128.and(f32x4.mul(expCall(f32x4.sub(largest, after)), splat(UNIT)), lanes);
  v128.store(level, after);
  v128.store(sums, madd(factor, v128.load(direct.numerator), f32x4.mul(v128.load(sums), kept)));
  v128.store(sums, madd(factor, v128.load(direct.denominator), f32x4.mul(v128.load(sums, 16), kept)), 16);
}

/** Adds a tile to the rows from `begin` to `end`. */
function addTile(begin: i32, end: i32, tile: i32): void {
  const first = tile * TILE;
  const depth = min(TILE, call.source - first);
  packWeights(first, depth, end, tiles.biases + ((<usize>tile * ROWS) << 2), true, space.weights);
  const relative = tiles.relative + ((<usize>tile * ROWS) << 2);
  let right = space.sources + <usize>call.panels * PAIR * first;
  let keys = keysOf(tile);
  let base = tiles.base;
  for (let panel: i32 = 0; panel < call.panels; panel++, right += PAIR * depth, keys += 16, base += 16) {
    const key = f32x4.sub(v128.load(keys), v128.load(base));
    for (let i = begin; i < end; i += 4) addFour(panel, i, tile, depth, key, relative + (<usize>i << 2), right);
  }
}

/** Adds a tile to four channels of four rows from `i` on. Rows that do not exist have no weights. */
function addFour(panel: i32, i: i32, tile: i32, depth: i32, key: v128, relative: usize, right: usize): void {
  const level = levelOf(i, panel);
  const sums = sumsOf(i, panel);
  const x0 = f32x4.sub(f32x4.add(key, v128.load32_splat(relative)), v128.load(level));
  const x1 = f32x4.sub(f32x4.add(key, v128.load32_splat(relative, 4)), v128.load(level, 16));
  const x2 = f32x4.sub(f32x4.add(key, v128.load32_splat(relative, 8)), v128.load(level, 32));
  const x3 = f32x4.sub(f32x4.add(key, v128.load32_splat(relative, 12)), v128.load(level, 48));
  // The largest of each lane, or NaN: that must not be passed over.
  const most = f32x4.max(f32x4.max(x0, x1), f32x4.max(x2, x3));
  if (v128.all_true<i32>(f32x4.lt(most, splat(NOTHING)))) return;
  const few = space.few;
  multiplyPanels(space.weights + ((<usize>i * depth) << 2), right, 4, 8, depth, few, PAIR, false, few);
  const reaches = v128.all_true<i32>(f32x4.le(most, splat(REACH)));
  addRow(x0, few, sums, reaches, panel, i, tile);
  addRow(x1, few + PAIR, sums + PAIR, reaches, panel, i + 1, tile);
  addRow(x2, few + 2 * PAIR, sums + 2 * PAIR, reaches, panel, i + 2, tile);
  addRow(x3, few + 3 * PAIR, sums + 3 * PAIR, reaches, panel, i + 3, tile);
}

/** Adds a row of a tile's product to the sums, as far as the tile holds it, which may be known. `x` is how far its references are above the level. */
function addRow(x: v128, few: usize, sums: usize, reaches: bool, panel: i32, i: i32, tile: i32): void {
  const product = v128.load(few, 16);
  const beyond = f32x4.gt(x, splat(REACH));
  if (!reaches && v128.any_true(beyond)) {
    const first = tile * TILE;
    const until = min(first + TILE, call.source);
    addDirectly(panel, i, first, until, beyond);
    tiles.exponents += <f64>(popcnt<i32>(i32x4.bitmask(beyond)) * (until - first));
  }
  const without = v128.or(v128.or(f32x4.lt(x, splat(NOTHING)), f32x4.lt(product, splat(LEAST_SUM))), beyond);
  // Takes one of the two powers back.
  const factor = v128.andnot(expTimesPower(x, -RAISED), without);
  v128.store(sums, madd(factor, v128.load(few), v128.load(sums)));
  v128.store(sums, madd(factor, product, v128.load(sums, 16)), 16);
}
