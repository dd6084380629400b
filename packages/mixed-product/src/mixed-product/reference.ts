/** The mixed product in float64: `a [terms, rows]` and `b [terms, columns]` as rows. */
export function mixedProductReference(terms: number, a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const [rows, columns] = [a.length / terms, b.length / terms];
  const out = new Float64Array(rows * columns);
  for (let k = 0; k < terms; k++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) out[i * columns + j]! += a[k * rows + i]! * b[k * columns + j]!;
    }
  }
  return out;
}
