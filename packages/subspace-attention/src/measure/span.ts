import { type Array64, svd64 } from '@mixfold/tensor-ops';

/** An orthonormal basis of what the columns of a matrix span, `[rows, rank]`. */
export function spanOf(matrix: Array64): Array64 {
  const { u, s } = svd64(matrix);
  const [rows, columns] = matrix.shape as [number, number];
  const floor = Math.max(rows, columns) * Number.EPSILON * (s[0] ?? 0);
  const rank = s.filter((value) => value > floor).length;
  const kept = Float64Array.from({ length: rows * rank }, (_, i) => {
    return u.data[Math.floor(i / rank) * u.shape[1]! + (i % rank)]!;
  });
  return { shape: [rows, rank], data: kept };
}
