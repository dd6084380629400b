/** `u v^T` of factors `[rows, rank]` and `[columns, rank]`. */
export function productOfFactors(u: ArrayLike<number>, v: ArrayLike<number>, rank: number): Float64Array {
  const [rows, columns] = [u.length / rank, v.length / rank];
  const product = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += u[i * rank + r]! * v[j * rank + r]!;
      product[i * columns + j] = sum;
    }
  }
  return product;
}

/** The gradients of both factors, from that of their product. */
export function gradientsOfFactors(
  u: ArrayLike<number>,
  v: ArrayLike<number>,
  rank: number,
  dProduct: ArrayLike<number>,
): { u: Float64Array; v: Float64Array } {
  const [rows, columns] = [u.length / rank, v.length / rank];
  const [dU, dV] = [new Float64Array(u.length), new Float64Array(v.length)];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const gradient = dProduct[i * columns + j]!;
      for (let r = 0; r < rank; r++) {
        dU[i * rank + r]! += gradient * v[j * rank + r]!;
        dV[j * rank + r]! += gradient * u[i * rank + r]!;
      }
    }
  }
  return { u: dU, v: dV };
}
