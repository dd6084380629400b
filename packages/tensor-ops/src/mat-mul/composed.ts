import { getBackend, matMul as matMulOfTfjs, mul, reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';

type Transpositions = { transposeA: boolean; transposeB: boolean };

/** A stack as `[matrices, rows, columns]`: tfjs's kernels take no more axes everywhere. */
const stacked = (x: Tensor): Tensor => reshape(x, [-1, ...x.shape.slice(-2)]);

/** A stack as one tall matrix `[matrices * rows, columns]`; each matrix is transposed before, if `transposed`. */
function tall(x: Tensor, transposed: boolean): Tensor {
  const own = transposed ? transpose(stacked(x), [0, 2, 1]) : x;
  return reshape(own, [-1, own.shape.at(-1)!]);
}

/**
 * tfjs's product. tfjs-wasm keeps the packed copy of a right factor under its data alone: the same data again in another shape, as a view has it, would be read by
 * the old one, and written past the end of the output. So there a right factor has data of its own.
 */
function matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  return matMulOfTfjs(a, getBackend() === 'wasm' && !transposeB ? mul(b, 1) : b, transposeA, transposeB);
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

/** One more product for each gradient that is asked for. That of a shared matrix is a product of two tall matrices, and so sums over the stack. */
export function composedMatMulBackward(
  { a, b, dOutput }: { a: Tensor; b: Tensor; dOutput: Tensor },
  { transposeA, transposeB }: Transpositions,
  { outputShapes }: { outputShapes: Readonly<Record<string, number[]>> },
): Record<string, Tensor> {
  const made: Record<string, Tensor> = {};
  const shared = isShared(b);
  const [right, received] = shared ? [b, tall(dOutput, false)] : [stacked(b), stacked(dOutput)];
  if (outputShapes.dA) {
    if (shared) {
      const dRows = matMul(received, right, false, !transposeB);
      const [depth, tokens] = a.shape.slice(-2) as [number, number];
      made.dA = transposeA ? transpose(reshape(dRows, [-1, tokens, depth]), [0, 2, 1]) : dRows;
    } else made.dA = transposeA ? matMul(right, received, transposeB, true) : matMul(received, right, false, !transposeB);
    made.dA = reshape(made.dA, a.shape);
  }
  if (outputShapes.dB) {
    const [left, turned] = shared ? [tall(a, transposeA), false] : [stacked(a), transposeA];
    const dB = transposeB ? matMul(received, left, true, turned) : matMul(left, received, !turned, false);
    made.dB = reshape(dB, b.shape);
  }
  return made;
}
