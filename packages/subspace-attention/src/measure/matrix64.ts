import type { Array64 } from '@mixfold/tensor-ops';

/** `a^T a` of a matrix, `[columns, columns]`. */
export function gramOfColumns({ shape: [rows, columns], data }: Array64): Array64 {
  const [m, n] = [rows!, columns!];
  const out = new Float64Array(n * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const left = data[i * n + j]!;
      for (let k = j; k < n; k++) out[j * n + k]! += left * data[i * n + k]!;
    }
  }
  for (let j = 0; j < n; j++) for (let k = 0; k < j; k++) out[j * n + k] = out[k * n + j]!;
  return { shape: [n, n], data: out };
}

/** `a b`. */
export function product({ shape: [rows, depth], data: a }: Array64, { shape: [, columns], data: b }: Array64): Array64 {
  const out = new Float64Array(rows! * columns!);
  for (let i = 0; i < rows!; i++) {
    for (let k = 0; k < depth!; k++) {
      const left = a[i * depth! + k]!;
      for (let j = 0; j < columns!; j++) out[i * columns! + j]! += left * b[k * columns! + j]!;
    }
  }
  return { shape: [rows!, columns!], data: out };
}

export function transposed({ shape: [rows, columns], data }: Array64): Array64 {
  const out = new Float64Array(data.length);
  for (let i = 0; i < rows!; i++) for (let j = 0; j < columns!; j++) out[j * rows! + i] = data[i * columns! + j]!;
  return { shape: [columns!, rows!], data: out };
}

export const frobenius = (data: Float64Array): number => Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
