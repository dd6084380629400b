/** `[rows, depth] [depth, columns]`. Zeros in the left factor cost little: under the theorem's operator most weights are. */
export function times(a: Float64Array, b: Float64Array, rows: number, depth: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  const whole = depth - (depth % 4);
  for (let i = 0; i < rows; i++) {
    const to = i * columns;
    for (let k = 0; k < whole; k += 4) {
      const at = i * depth + k;
      const p = a[at]!;
      const q = a[at + 1]!;
      const r = a[at + 2]!;
      const s = a[at + 3]!;
      if (p === 0 && q === 0 && r === 0 && s === 0) continue;
      for (let j = 0, from = k * columns; j < columns; j++, from++) {
        out[to + j]! += p * b[from]! + q * b[from + columns]! + (r * b[from + 2 * columns]! + s * b[from + 3 * columns]!);
      }
    }
    for (let k = whole; k < depth; k++) {
      for (let j = 0; j < columns; j++) out[to + j]! += a[i * depth + k]! * b[k * columns + j]!;
    }
  }
  return out;
}

/** out `[rows, columns]` += a `[rows, depth]` times b `[columns, depth]` transposed. Rows of zeros in `a` are passed over. */
export function addTimesTransposed(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  rows: number,
  depth: number,
  columns: number,
): void {
  const whole = columns - (columns % 4);
  for (let i = 0; i < rows; i++) {
    const row = a.subarray(i * depth, (i + 1) * depth);
    if (row.every((x) => x === 0)) continue;
    const to = i * columns;
    for (let j = 0; j < whole; j += 4) {
      const from = j * depth;
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      for (let c = 0, at = from; c < depth; c++, at++) {
        const x = row[c]!;
        p += x * b[at]!;
        q += x * b[at + depth]!;
        r += x * b[at + 2 * depth]!;
        s += x * b[at + 3 * depth]!;
      }
      out[to + j]! += p;
      out[to + j + 1]! += q;
      out[to + j + 2]! += r;
      out[to + j + 3]! += s;
    }
    for (let j = whole; j < columns; j++) {
      let sum = 0;
      for (let c = 0; c < depth; c++) sum += row[c]! * b[j * depth + c]!;
      out[to + j]! += sum;
    }
  }
}
