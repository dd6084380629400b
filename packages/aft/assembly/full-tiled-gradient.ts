// The gradient of AFT-full for a few targets over tiles of sources. What a target receives, g, is taken relative to the references of each tile: what is
// more than e^REACH there has denominators that the tile does not hold, and is added exponent by exponent.
import { packLeft } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { expTimesPower, splat, storeLanes } from '../../tensor-ops/assembly/math';
import { biasRows, spill, weigh, weighed } from './full-bias';
import { BLOCK, call, fourFrom, loadChannels, PAIR, ROWS, roundUp } from './full-call';
import { spreadOver } from './full-direct';
import { CHUNK, chunkOfSources, space } from './full-gradient-space';
import { packAcross } from './full-received';
import { addToSource } from './full-source-gradients';
import { findTileBiases, keysOf, NOTHING, REACH, TILE, tiles, tilesOf } from './full-tiles';
import { expCall } from './slots';
import { exists } from './sources';

/** What is received is 2^20 times as large, so that no product of two factors is subnormal. */
const POWER: f32 = 20.0;

/** Adds what `count` targets from `begin` on give to the gradients of keys and values, and to `rows` of the bias. */
export function differentiateTiles(begin: i32, count: i32, context: usize, dKey: usize, dValue: usize, rows: usize): void {
  const limit = tilesOf(call.causal ? begin + count : call.source);
  findTileBiases(begin, count, limit, space.largest + (<usize>begin << 2));
  const rowBytes = <usize>call.panels * PAIR;
  for (let tile: i32 = 0; tile < limit; tile++) {
    const first = tile * TILE;
    const depth = min(TILE, call.source - first);
    receiveTile(begin, count, tile, context, dKey, dValue, rows);
    const seen = call.causal ? begin + 1 - first : depth;
    weigh(biasRows.at + (<usize>first << 2), biasRows.step, count, depth, tiles.biases + ((<usize>tile * ROWS) << 2), true, seen);
    packLeft(weighed.at, weighed.step, true, depth, count, space.weights);
    multiplyPanels(space.weights, space.tileReceived, roundUp(depth, 4), call.panels << 3, count, space.tileSums, rowBytes, false, spill());
    spreadTile(tile, depth, dKey, dValue);
    for (let chunk: i32 = 0; chunk < call.panels; chunk += CHUNK) {
      const width = min(CHUNK, call.panels - chunk);
      multiplyPanels(
        space.receivedRows + <usize>chunk * PAIR * ROWS, chunkOfSources(chunk) + ((<usize>(first >> 3) * width) << 8), count, depth,
        width << 3, space.tile, BLOCK << 2, chunk > 0, spill(),
      );
    }
    addWeighed(first, depth, count, space.unit, rows);
  }
  tiles.elements += count * call.batch * call.dim;
}

/** Adds the sums over channels in `tile`, times their weights and `unit`, to `columns` columns of some rows of the gradient of the bias. */
export function addWeighed(first: i32, columns: i32, count: i32, unit: f32, rows: usize): void {
  const factor = splat(unit);
  let to = rows + (<usize>first << 2);
  for (let i: i32 = 0; i < count; i++, to += <usize>call.source << 2) {
    const from = space.tile + ((<usize>i * BLOCK) << 2);
    const weights = weighed.at + weighed.step * i;
    for (let j: i32 = 0; j < columns; j += 4) {
      const at = <usize>j << 2;
      const share = f32x4.mul(f32x4.mul(v128.load(from + at), v128.load(weights + at)), factor);
      storeLanes(to + at, f32x4.add(fourFrom(to + at, columns - j), share), columns - j);
    }
  }
}

/** Packs what targets receive relative to a tile, both ways, and adds what that does not hold. */
function receiveTile(begin: i32, count: i32, tile: i32, context: usize, dKey: usize, dValue: usize, rows: usize): void {
  const first = tile * TILE;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let g: i32 = 0; g < call.groups; g++) {
      const panel = b * call.groups + g;
      const key = f32x4.sub(v128.load(keysOf(tile) + (<usize>panel << 4)), v128.load(tiles.base + (<usize>panel << 4)));
      const from = space.sums + <usize>panel * ROWS * PAIR;
      const to = space.tileReceived + <usize>panel * count * PAIR;
      for (let i: i32 = 0; i < count; i++) {
        const at = PAIR * i;
        const bias = v128.load32_splat(tiles.biases + ((<usize>tile * ROWS + i) << 2));
        const x = f32x4.sub(f32x4.add(key, bias), v128.load(space.logs + ((<usize>panel * ROWS + i) << 4)));
        const received = v128.load(from + at);
        const beyond = v128.and(f32x4.gt(x, splat(REACH)), f32x4.ne(received, splat(0.0)));
        if (v128.any_true(beyond)) addBeyond(b, g, i, begin, tile, v128.and(received, beyond), context, dKey, dValue, rows);
        const factor = v128.andnot(expTimesPower(x, POWER), v128.or(f32x4.gt(x, splat(REACH)), f32x4.lt(x, splat(NOTHING))));
        v128.store(to + at, f32x4.mul(received, factor));
        v128.store(to + at, f32x4.mul(v128.load(from + at, 16), factor), 16);
      }
    }
  }
  packAcross(space.tileReceived, <usize>count * PAIR, count);
}

/** Adds what a tile does not hold of one element, exponent by exponent. */
function addBeyond(
  b: i32, g: i32, i: i32, begin: i32, tile: i32, received: v128, context: usize, dKey: usize, dValue: usize, rows: usize,
): void {
  const panel = b * call.groups + g;
  const log = v128.load(space.logs + ((<usize>panel * ROWS + i) << 4));
  const whole = f32x4.nearest(log);
  const unit = splat(space.unit * 1048576.0);
  const share = f32x4.mul(f32x4.mul(received, unit), expCall(f32x4.sub(whole, log)));
  const first = tile * TILE;
  const until = min(call.causal ? begin + i + 1 : call.source, first + TILE);
  spreadOver(
    b, g, biasRows.at + biasRows.step * i, first, until, f32x4.add(whole, v128.load(tiles.base + (<usize>panel << 4))), received, share,
    loadChannels(context, <usize>b * call.target + begin + i, g), dKey, dValue, rows + ((<usize>i * call.source) << 2),
  );
  tiles.exponents += <f64>(popcnt<i32>(i32x4.bitmask(f32x4.ne(received, splat(0.0)))) * (until - first));
}

/** Adds the sums over targets to the gradients of a tile's keys and values. */
function spreadTile(tile: i32, depth: i32, dKey: usize, dValue: usize): void {
  const unit = splat(space.unit);
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let j: i32 = 0; j < depth; j++) {
      const row = <usize>b * call.source + tile * TILE + j;
      if (!exists(call.mask, row)) continue;
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const sums = space.tileSums + (<usize>call.panels * j + panel) * PAIR;
        addToSource(row, g, panel, v128.load(keysOf(tile) + (<usize>panel << 4)), sums, unit, dKey, dValue);
      }
    }
  }
}
