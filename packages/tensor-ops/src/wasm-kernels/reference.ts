import type { ShapedValues } from '@mixfold/testing';

/** One operand of the reference, with its transposition. */
export interface Operand extends ShapedValues {
  readonly transposed: boolean;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** `[..., rows, depth]` times `[..., depth, columns]` in float64; the leading axes broadcast. Also the sum of the terms' magnitudes. */
export function matMulReference(a: Operand, b: Operand): { shape: number[]; data: Float64Array } {
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [rows, depth] = a.transposed ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const columns = b.transposed ? b.shape.at(-2)! : b.shape.at(-1)!;
  const data = new Float64Array(sizeOf(batch) * rows * columns);
  let at = 0;
  for (let n = 0; n < sizeOf(batch); n++) {
    const aStart = matrixAt(n, batch, a.shape.slice(0, -2)) * rows * depth;
    const bStart = matrixAt(n, batch, b.shape.slice(0, -2)) * depth * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let p = 0; p < depth; p++) {
          const left = a.data[aStart + (a.transposed ? p * rows + i : i * depth + p)]!;
          sum += left * b.data[bStart + (b.transposed ? j * depth + p : p * columns + j)]!;
        }
        data[at++] = sum;
      }
    }
  }
  return { shape: [...batch, rows, columns], data };
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

/** The matrix of a stack of shape `own` that stands at place `n` of the broadcast stack. */
function matrixAt(n: number, batch: readonly number[], own: readonly number[]): number {
  let index = 0;
  let stride = 1;
  for (let axis = 1; axis <= own.length; axis++) {
    const size = own.at(-axis)!;
    index += (size === 1 ? 0 : n % batch.at(-axis)!) * stride;
    stride *= size;
    n = Math.floor(n / batch.at(-axis)!);
  }
  return index;
}
