import { matMul, reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';

type Transpositions = { transposeA: boolean; transposeB: boolean };

/** A stack as `[matrices, rows, columns]`: tfjs's kernels take no more axes everywhere. */
const stacked = (x: Tensor): Tensor => reshape(x, [-1, ...x.shape.slice(-2)]);

/** A stack as one tall matrix `[matrices * rows, columns]`; each matrix is transposed before, if `transposed`. */
function tall(x: Tensor, transposed: boolean): Tensor {
  const own = transposed ? transpose(stacked(x), [0, 2, 1]) : x;
  return reshape(own, [-1, own.shape.at(-1)!]);
}

/** Whether `b` is one matrix for all of `a`; tfjs differentiates a product by it no more. */
export const isShared = (b: { readonly shape: readonly number[] }): boolean => b.shape.length === 2;

/** Products by tfjs's own `matMul`, of two matrices or of two stacks of equal length. */
export function composedMatMul(
  { a, b }: { a: Tensor; b: Tensor },
  { transposeA, transposeB }: Transpositions,
  { outputShapes }: { outputShapes: Readonly<Record<string, number[]>> },
): Record<string, Tensor> {
  const product = isShared(b)
    ? matMul(tall(a, transposeA), b, false, transposeB)
    : matMul(stacked(a), stacked(b), transposeA, transposeB);
  return { output: reshape(product, outputShapes.output!) };
}

/** Two more products. The gradient of a shared matrix is one product of two tall matrices, and so sums over the stack. */
export function composedMatMulBackward(
  { a, b, dOutput }: { a: Tensor; b: Tensor; dOutput: Tensor },
  { transposeA, transposeB }: Transpositions,
): Record<string, Tensor> {
  if (isShared(b)) {
    const [rows, received] = [tall(a, transposeA), tall(dOutput, false)];
    const dRows = matMul(received, b, false, !transposeB);
    const [depth, tokens] = a.shape.slice(-2) as [number, number];
    const dA = transposeA ? transpose(reshape(dRows, [-1, tokens, depth]), [0, 2, 1]) : dRows;
    const dB = transposeB ? matMul(received, rows, true, false) : matMul(rows, received, true, false);
    return { dA: reshape(dA, a.shape), dB };
  }
  const [left, right, received] = [a, b, dOutput].map(stacked) as [Tensor, Tensor, Tensor];
  const dA = transposeA ? matMul(right, received, transposeB, true) : matMul(received, right, false, !transposeB);
  const dB = transposeB ? matMul(received, left, true, transposeA) : matMul(left, received, !transposeA, false);
  return { dA: reshape(dA, a.shape), dB: reshape(dB, b.shape) };
}
