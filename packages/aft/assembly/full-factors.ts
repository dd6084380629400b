// The gradients of a bias's factors from rows of the gradient of the bias: `dU = dBias V` and `dV = dBias^T U`.
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { spill } from './full-bias';
import { BLOCK, call, ROWS, roundUp, take } from './full-call';
import { space } from './full-gradient-space';

namespace own {
  /** Rows of the gradient of the bias. */
  export let rows: usize = 0;
  /** `v` and a few rows of `u` as right factors. */
  export let packedV: usize = 0;
  export let packedU: usize = 0;
  /** What a few rows of `u`, and all of `v`, receive. */
  export let dU: usize = 0;
  export let dV: usize = 0;
}

export function takeFactorSpace(): void {
  if (call.rank == 0) return;
  const wide = <usize>roundUp(call.rank, 8);
  own.rows = take(<usize>ROWS * call.source);
  own.packedV = take(wide * call.source);
  own.packedU = take(wide * ROWS);
  own.dU = take(wide * ROWS);
  own.dV = take(wide * roundUp(call.source, 4));
}

/** Where rows of the gradient of the bias go. */
export function factorRows(): usize {
  return own.rows;
}

export function prepareFactors(): void {
  const row = <usize>call.rank << 2;
  const wide = <usize>roundUp(call.rank, 8);
  for (let first: i32 = 0; first < call.source; first += BLOCK) {
    const depth = min(BLOCK, call.source - first);
    packRight(call.v + row * first, row, false, call.rank, depth, own.packedV + ((wide * first) << 2));
  }
  memory.fill(own.dV, 0, (wide * roundUp(call.source, 4)) << 2);
}

/** Adds the gradient of some rows of the bias, of which the first `seen` columns count, to that of the factors. */
export function differentiateFactors(begin: i32, count: i32, seen: i32, dU: usize): void {
  const row = <usize>call.rank << 2;
  const wide = <usize>roundUp(call.rank, 8) << 2;
  packRight(call.u + row * begin, row, false, call.rank, count, own.packedU);
  for (let first: i32 = 0; first < seen; first += BLOCK) {
    // Rows of the gradient reach to the end of the last block.
    const depth = min(BLOCK, call.source - first);
    const from = own.rows + (<usize>first << 2);
    const step = <usize>call.source << 2;
    packLeft(from, step, false, count, depth, space.weights);
    multiplyPanels(
      space.weights, own.packedV + wide * first, roundUp(count, 4), roundUp(call.rank, 8), depth, own.dU, wide, first > 0, spill(),
    );
    packLeft(from, step, true, depth, count, space.weights);
    multiplyPanels(
      space.weights, own.packedU, roundUp(depth, 4), roundUp(call.rank, 8), count, own.dV + wide * first, wide, true, spill(),
    );
  }
  copyColumns(own.dU, dU + row * begin, count);
}

/** Copies rows that are filled up to a multiple of eight into rows of the rank. */
function copyColumns(from: usize, to: usize, rows: i32): void {
  const wide = <usize>roundUp(call.rank, 8) << 2;
  const row = <usize>call.rank << 2;
  for (let i: i32 = 0; i < rows; i++) memory.copy(to + row * i, from + wide * i, row);
}

/** Stores what `v` has received. */
export function finishFactors(dV: usize): void {
  copyColumns(own.dV, dV, call.source);
}
