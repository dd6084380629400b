// What causal targets see of their own block.
import { madd } from '../../tensor-ops/assembly/math';
import { packWeights } from './full-bias';
import { BLOCK, call, PAIR } from './full-call';
import { space } from './full-sum-space';

/** Adds to the sums what targets see of their own block. */
export function addOwnSources(begin: i32, count: i32, block: i32): void {
  const first = block * BLOCK;
  const depth = min(BLOCK, call.source - first);
  const seen = begin + count - first;
  packWeights(first, seen, count, space.largest, true, space.weights);
  const rowBytes = <usize>call.panels * PAIR;
  for (let p: i32 = 0; p < call.panels; p++) {
    const right = space.own + <usize>p * depth * PAIR;
    for (let i: i32 = 0; i < count; i += 4) {
      addTriangle(space.weights + ((<usize>i * seen) << 2), right, begin + i - first, space.sums + rowBytes * i + PAIR * p, rowBytes);
    }
  }
}

/**
 * Adds to four rows the product of `depth` columns, and of four more of which row `i` takes the first `i + 1`: a source to come is not even
 * multiplied by 0, for it may be infinite. Rows that do not exist may take what lies there.
 */
function addTriangle(left: usize, right: usize, depth: i32, sums: usize, row: usize): void {
  let c00 = v128.load(sums), c01 = v128.load(sums, 16);
  let c10 = v128.load(sums + row), c11 = v128.load(sums + row, 16);
  let c20 = v128.load(sums + row * 2), c21 = v128.load(sums + row * 2, 16);
  let c30 = v128.load(sums + row * 3), c31 = v128.load(sums + row * 3, 16);
  const end = right + PAIR * depth;
  const stop = end + PAIR * 4;
  let a: v128;
  while (right < stop) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    if (right <= end) {
      a = v128.load32_splat(left);
      c00 = madd(a, b0, c00);
      c01 = madd(a, b1, c01);
    }
    if (right <= end + PAIR) {
      a = v128.load32_splat(left, 4);
      c10 = madd(a, b0, c10);
      c11 = madd(a, b1, c11);
    }
    if (right <= end + PAIR * 2) {
      a = v128.load32_splat(left, 8);
      c20 = madd(a, b0, c20);
      c21 = madd(a, b1, c21);
    }
    a = v128.load32_splat(left, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    left += 16;
    right += PAIR;
  }
  v128.store(sums, c00);
  v128.store(sums, c01, 16);
  v128.store(sums + row, c10);
  v128.store(sums + row, c11, 16);
  v128.store(sums + row * 2, c20);
  v128.store(sums + row * 2, c21, 16);
  v128.store(sums + row * 3, c30);
  v128.store(sums + row * 3, c31, 16);
}
