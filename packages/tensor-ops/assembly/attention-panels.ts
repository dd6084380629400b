// Panels: rows of eight floats, the right factors of products. In the forward a panel of scores has a row for each source and a column for each
// of eight targets, in the gradient a row for each target and a column for each of eight sources.
import { PANEL_ROW } from './attention-head';
import { splat, storeLanes } from './math';

/** Writes `count` (1 to 8) columns of a panel of `channels` rows as rows, `toRow` bytes apart. A panel has rows up to a multiple of four. */
export function storeColumns(panel: usize, count: i32, channels: i32, to: usize, toRow: usize): void {
  for (let half: i32 = 0; half < count; half += 4) {
    const columns = min(count - half, 4);
    let from = panel + (<usize>half << 2);
    let at = to + toRow * half;
    for (let c: i32 = 0; c < channels; c += 4, at += 16, from += PANEL_ROW * 4) {
      const c0 = v128.load(from), c1 = v128.load(from, 32), c2 = v128.load(from, 64), c3 = v128.load(from, 96);
      const low01 = v128.shuffle<f32>(c0, c1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(c0, c1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(c2, c3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(c2, c3, 2, 6, 3, 7);
      const rest = channels - c;
      put(at, v128.shuffle<i64>(low01, low23, 0, 2), rest);
      if (columns > 1) put(at + toRow, v128.shuffle<i64>(low01, low23, 1, 3), rest);
      if (columns > 2) put(at + toRow * 2, v128.shuffle<i64>(high01, high23, 0, 2), rest);
      if (columns > 3) put(at + toRow * 3, v128.shuffle<i64>(high01, high23, 1, 3), rest);
    }
  }
}

function put(at: usize, x: v128, count: i32): void {
  storeLanes(at, x, count);
}

/** Turns rows of a panel, `rows` (up to 8) of them, into columns: row `i`, column `j` goes to row `j`, column `i`. Columns from `rows` on get what lies there. */
export function turnPanel(panel: usize, rows: i32, to: usize): void {
  for (let half: i32 = 0; half < rows; half += 4) {
    for (let part: usize = 0; part < 32; part += 16) {
      const from = panel + PANEL_ROW * half + part;
      const at = to + PANEL_ROW * (part >> 2) + (<usize>half << 2);
      const r0 = v128.load(from), r1 = v128.load(from, 32), r2 = v128.load(from, 64), r3 = v128.load(from, 96);
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(at, v128.shuffle<i64>(low01, low23, 0, 2));
      v128.store(at, v128.shuffle<i64>(low01, low23, 1, 3), 32);
      v128.store(at, v128.shuffle<i64>(high01, high23, 0, 2), 64);
      v128.store(at, v128.shuffle<i64>(high01, high23, 1, 3), 96);
    }
  }
}

/**
 * Adds to `out` `[channels, 8]` the product of the transpose of `x`, `depth` rows of `channels` floats, and a panel of weights `[depth, 8]`, leaving out
 * weights of 0: what they stand before may be NaN or infinite.
 */
export function addSelected(x: usize, xRow: usize, weights: usize, depth: i32, channels: i32, out: usize): void {
  for (let k: i32 = 0; k < depth; k++, x += xRow, weights += PANEL_ROW) {
    for (let lane: usize = 0; lane < 32; lane += 4) {
      const weight = load<f32>(weights + lane);
      if (weight == 0) continue;
      for (let c: i32 = 0; c < channels; c++) {
        const at = out + PANEL_ROW * c + lane;
        store<f32>(at, load<f32>(at) + weight * load<f32>(x + (<usize>c << 2)));
      }
    }
  }
}

export function scaleFloats(x: usize, count: usize, by: f32): void {
  const end = x + (count << 2);
  for (; x + 16 <= end; x += 16) v128.store(x, f32x4.mul(v128.load(x), splat(by)));
  for (; x < end; x += 4) store<f32>(x, load<f32>(x) * by);
}
