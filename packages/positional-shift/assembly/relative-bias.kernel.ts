// A table over offsets [heads, columns] as a matrix over pairs [heads, n, n], and back.
import { addRows } from './rows';

/** Rows whose sum is added to the total at once. */
const SPAN: i32 = 64;

/** Entry (target, source) is the value of the middle column + target - source. `line` takes 2 n - 1 floats. */
export function spread(values: usize, bias: usize, heads: i32, columns: i32, n: i32, line: usize): void {
  const first = (columns - (2 * n - 1)) / 2;
  const row = <usize>n << 2;
  for (let h: i32 = 0; h < heads; h++) {
    const own = values + (<usize>(h * columns + first) << 2);
    for (let j: i32 = 0; j < 2 * n - 1; j++) store<f32>(line + (<usize>j << 2), load<f32>(own + (<usize>(2 * n - 2 - j) << 2)));
    for (let t: i32 = 0; t < n; t++) {
      memory.copy(bias, line + (<usize>(n - 1 - t) << 2), row);
      bias += row;
    }
  }
}

/** The sums of the diagonals. `line` takes 4 n floats. */
export function collect(dBias: usize, dValues: usize, heads: i32, columns: i32, n: i32, line: usize): void {
  const first = (columns - (2 * n - 1)) / 2;
  const row = <usize>n << 2;
  const bytes = row * 2;
  const span = line + bytes;
  memory.fill(dValues, 0, <usize>(heads * columns) << 2);
  for (let h: i32 = 0; h < heads; h++) {
    memory.fill(line, 0, bytes);
    for (let begin: i32 = 0; begin < n; begin += SPAN) {
      memory.fill(span, 0, bytes);
      for (let t = begin; t < min(begin + SPAN, n); t++) {
        addRows(dBias, row, 1, span + (<usize>(n - 1 - t) << 2), n);
        dBias += row;
      }
      addRows(span, bytes, 1, line, 2 * n);
    }
    const own = dValues + (<usize>(h * columns + first) << 2);
    for (let j: i32 = 0; j < 2 * n - 1; j++) store<f32>(own + (<usize>(2 * n - 2 - j) << 2), load<f32>(line + (<usize>j << 2)));
  }
}
