// The sums of AFT-full over tiles of sources, each relative to its own largest keys and biases. They add up relative to a level of each element, a number
// not far below its own log: the largest exponent among the sources where the bias is largest in its tile. A tile whose references exceed the level by more
// than REACH may have lost to underflow what counts; there the exponents are evaluated one by one.
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { expTimesPower, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { biasRows, packWeights } from './full-bias';
import { call, factorOf, loadChannels, PAIR, ROWS } from './full-call';
import { direct, sumDirectly } from './full-direct';
import { space } from './full-sum-space';
import { findTileBiases, keysOf, NOTHING, REACH, TILE, tiles, tilesOf } from './full-tiles';
import { expCall } from './slots';
import { exists, NONE } from './sources';

/** A tile's denominator below this, 2^-95 beside the square of the factors' power, counts for nothing at any level within REACH. */
const LEAST_SUM: f32 = 7.62939453125e-6;

/** Sets the sums and levels of some targets. */
export function sumTiles(begin: i32, count: i32): void {
  const limit = call.causal ? begin / TILE : tilesOf(call.source);
  findTileBiases(begin, count, limit, space.largest);
  memory.fill(space.sums, 0, <usize>call.panels * PAIR * ROWS);
  for (let i: i32 = 0; i < count; i++) {
    findLevels(i, limit);
    if (!call.causal) continue;
    for (let b: i32 = 0; b < call.batch; b++) {
      for (let g: i32 = 0; g < call.groups; g++) addDirectly(b, g, i, begin, begin + i + 1, f32x4.eq(splat(0.0), splat(0.0)));
    }
  }
  for (let tile: i32 = 0; tile < limit; tile++) addTile(count, tile);
  tiles.elements += count * call.batch * call.dim;
}

// @ts-ignore: decorator
@inline
function levelOf(i: i32, panel: i32): usize {
  return space.levels + ((<usize>call.panels * i + panel) << 4);
}

function findLevels(i: i32, limit: i32): void {
  for (let at = levelOf(i, 0); at < levelOf(i + 1, 0); at += 16) v128.store(at, splat(NONE));
  for (let tile: i32 = 0; tile < limit; tile++) {
    const from = (<usize>tile * ROWS + i) << 2;
    const place = <usize>load<i32>(tiles.places + from);
    const bias = v128.load32_splat(tiles.relative + from);
    for (let b: i32 = 0; b < call.batch; b++) {
      const row = <usize>b * call.source + place;
      if (!exists(call.mask, row)) continue;
      const panel = b * call.groups;
      let at = levelOf(i, panel);
      let base = tiles.base + (<usize>panel << 4);
      for (let g: i32 = 0; g < call.groups; g++, at += 16, base += 16) {
        const key = f32x4.sub(f32x4.nearest(loadChannels(call.key, row, g)), v128.load(base));
        v128.store(at, maximum(v128.load(at), f32x4.add(key, bias)));
      }
    }
  }
}

/** Adds some sources to `lanes` of the sums of one row, exponent by exponent. */
function addDirectly(b: i32, g: i32, i: i32, from: i32, until: i32, lanes: v128): void {
  sumDirectly(b, g, biasRows.at + biasRows.step * i, from, until);
  const panel = b * call.groups + g;
  const level = levelOf(i, panel);
  const sums = space.sums + (<usize>call.panels * i + panel) * PAIR;
  const before = v128.load(level);
  const ofRow = v128.load32_splat(tiles.rows + (<usize>i << 2));
  const largest = f32x4.sub(f32x4.sub(v128.load(direct.largest), ofRow), v128.load(tiles.base + (<usize>panel << 4)));
  const after = v128.bitselect(maximum(largest, before), before, lanes);
  const kept = expCall(f32x4.sub(before, after));
  const factor = v128.and(factorOf(f32x4.sub(largest, after)), lanes);
  v128.store(level, after);
  v128.store(sums, madd(factor, v128.load(direct.numerator), f32x4.mul(v128.load(sums), kept)));
  v128.store(sums, madd(factor, v128.load(direct.denominator), f32x4.mul(v128.load(sums, 16), kept)), 16);
}

function addTile(count: i32, tile: i32): void {
  const first = tile * TILE;
  const depth = min(TILE, call.source - first);
  packWeights(first, depth, count, tiles.biases + ((<usize>tile * ROWS) << 2), true, space.weights);
  let right = space.sources + <usize>call.panels * PAIR * first;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let g: i32 = 0; g < call.groups; g++, right += PAIR * depth) {
      const panel = b * call.groups + g;
      const key = f32x4.sub(v128.load(keysOf(tile) + (<usize>panel << 4)), v128.load(tiles.base + (<usize>panel << 4)));
      for (let i: i32 = 0; i < count; i += 4) addFour(b, g, i, min(i + 4, count), tile, depth, key, right);
    }
  }
}

/** How far the references of a tile are above the level of an element. */
// @ts-ignore: decorator
@inline
function excessOf(i: i32, panel: i32, tile: i32, key: v128): v128 {
  const bias = v128.load32_splat(tiles.relative + ((<usize>tile * ROWS + i) << 2));
  return f32x4.sub(f32x4.add(key, bias), v128.load(levelOf(i, panel)));
}

/** Adds a tile to four channels of the rows from `begin` to `end`, at most four. */
function addFour(b: i32, g: i32, begin: i32, end: i32, tile: i32, depth: i32, key: v128, right: usize): void {
  const panel = b * call.groups + g;
  let nothing = f32x4.eq(splat(0.0), splat(0.0));
  for (let i = begin; i < end; i++) nothing = v128.and(nothing, f32x4.lt(excessOf(i, panel, tile, key), splat(NOTHING)));
  if (v128.all_true<i32>(nothing)) return;
  multiplyPanels(space.weights + ((<usize>begin * depth) << 2), right, 4, 8, depth, space.few, PAIR, false, space.few);
  let few = space.few;
  for (let i = begin; i < end; i++, few += PAIR) {
    const x = excessOf(i, panel, tile, key);
    const product = v128.load(few, 16);
    const beyond = f32x4.gt(x, splat(REACH));
    const without = v128.or(v128.or(f32x4.lt(x, splat(NOTHING)), f32x4.lt(product, splat(LEAST_SUM))), beyond);
    if (v128.any_true(beyond)) {
      addDirectly(b, g, i, tile * TILE, tile * TILE + depth, beyond);
      tiles.exponents += <f64>(popcnt<i32>(i32x4.bitmask(beyond)) * depth);
    }
    // Takes one of the two powers back.
    const factor = v128.andnot(expTimesPower(x, -call.power), without);
    const sums = space.sums + (<usize>call.panels * i + panel) * PAIR;
    v128.store(sums, madd(factor, v128.load(few), v128.load(sums)));
    v128.store(sums, madd(factor, product, v128.load(sums, 16)), 16);
  }
}
