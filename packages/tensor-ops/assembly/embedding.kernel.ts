// Rows of a table by id, and the gradient of the table. An id outside [0, classes) stands for no row.
import { loadLanes, splat, storeLanes } from './math';

/** A row of at least so many bytes is copied by the engine, which then beats a loop of vectors. */
const LONG_ROW: usize = 1024;

/** output[i] = table[ids[i]], or 0. */
export function gatherRows(table: usize, ids: usize, output: usize, count: i32, classes: i32, dim: i32): void {
  const row = <usize>dim << 2;
  for (let i: i32 = 0; i < count; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    const to = output + row * i;
    // Unsigned, a negative id is a large one.
    if (<u32>id >= <u32>classes) {
      memory.fill(to, 0, row);
      continue;
    }
    const from = table + row * id;
    if (row >= LONG_ROW) {
      memory.copy(to, from, row);
    } else {
      for (let j: i32 = 0; j < dim; j += 4) {
        const at = <usize>j << 2;
        storeLanes(to + at, loadLanes(from + at, dim - j), dim - j);
      }
    }
  }
}

/** One vector of a class's gradient: the rows in `order` added up, each addition's rounding error carried into the next. */
// @ts-ignore: decorator
@inline
function sumRows(rows: usize, row: usize, order: usize, begin: i32, end: i32, lanes: i32): v128 {
  let sum = splat(0.0);
  let lost = splat(0.0);
  for (let k = begin; k < end; k++) {
    const position = load<i32>(order + (<usize>k << 2));
    const term = f32x4.sub(loadLanes(rows + row * position, lanes), lost);
    const next = f32x4.add(sum, term);
    lost = f32x4.sub(f32x4.sub(next, sum), term);
    lost = v128.and(lost, f32x4.eq(lost, lost));
    sum = next;
  }
  return sum;
}

/**
 * dTable[c] = sum of dOutput over the positions that have id c, in their order. The positions are sorted by id first, so that each row of the
 * table is written once. `scratch` holds classes + 1 + count integers.
 */
export function scatterRows(dOutput: usize, ids: usize, dTable: usize, scratch: usize, count: i32, classes: i32, dim: i32): void {
  const row = <usize>dim << 2;
  const order = scratch + ((<usize>classes + 1) << 2);
  // begins[c + 1] counts class c, then holds where it begins, then, as its positions are put in order, where it ends.
  memory.fill(scratch, 0, (<usize>classes + 1) << 2);
  for (let i: i32 = 0; i < count; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (<u32>id >= <u32>classes) continue;
    const at = scratch + ((<usize>id + 1) << 2);
    store<i32>(at, load<i32>(at) + 1);
  }
  let begin: i32 = 0;
  for (let c: i32 = 1; c <= classes; c++) {
    const at = scratch + (<usize>c << 2);
    const size = load<i32>(at);
    store<i32>(at, begin);
    begin += size;
  }
  for (let i: i32 = 0; i < count; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    if (<u32>id >= <u32>classes) continue;
    const at = scratch + ((<usize>id + 1) << 2);
    const place = load<i32>(at);
    store<i32>(order + (<usize>place << 2), i);
    store<i32>(at, place + 1);
  }
  for (let c: i32 = 0; c < classes; c++) {
    const first = load<i32>(scratch + (<usize>c << 2));
    const end = load<i32>(scratch + ((<usize>c + 1) << 2));
    const to = dTable + row * c;
    if (first == end) {
      memory.fill(to, 0, row);
    } else {
      for (let j: i32 = 0; j < dim; j += 4) {
        const at = <usize>j << 2;
        storeLanes(to + at, sumRows(dOutput + at, row, order, first, end, dim - j), dim - j);
      }
    }
  }
}
