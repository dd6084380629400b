// Moves rows of `inner` floats along the middle axis of [outer, length, inner]. A run of rows is one of `src/boundary.ts`.
import { addRows } from './rows';

/** Rows `source`, `source + step`, ... of x become rows `target`, `target + 1`, ... of the output. */
export function copyRun(
  x: usize, output: usize, outer: i32, length: i32, inner: i32, target: i32, count: i32, source: i32, step: i32,
): void {
  const row = <usize>inner << 2;
  for (let o: i32 = 0; o < outer; o++) {
    const from = x + row * source;
    const to = output + row * target;
    if (step == 1) memory.copy(to, from, row * count);
    else for (let i: i32 = 0; i < count; i++) memory.copy(to + row * i, from + row * (step * i), row);
    x += row * length;
    output += row * length;
  }
}

/** Rows from `target` on of the gradient are added to rows `source`, `source + step`, ... of that of x. */
export function addRun(
  dOutput: usize, dX: usize, outer: i32, length: i32, inner: i32, target: i32, count: i32, source: i32, step: i32,
): void {
  const row = <usize>inner << 2;
  for (let o: i32 = 0; o < outer; o++) {
    const from = dOutput + row * target;
    const to = dX + row * source;
    if (step == 0) addRows(from, row, count, to, inner);
    else for (let i: i32 = 0; i < count; i++) addRows(from + row * i, row, 1, to + row * (step * i), inner);
    dOutput += row * length;
    dX += row * length;
  }
}

export function clear(to: usize, bytes: usize): void {
  memory.fill(to, 0, bytes);
}
