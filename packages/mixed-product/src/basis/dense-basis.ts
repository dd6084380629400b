import { checkTensor, matMul, ShapeError } from '@mixfold/tensor-ops';
import { type Tensor, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { copied, permuted, viewAs } from '../tape/views';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from './convolution-basis';

/**
 * A basis given by its matrices.
 *
 * @param tensor - `[terms, input, output]`, or `[samples, terms, input, output]` for graphs of each sample's own. `A_k[m, n]` is the weight of the
 *   edge from input m to output n: the transpose of a pattern `[query, key]`.
 * @returns The basis; differentiable in `tensor`, which it neither copies nor disposes.
 * @throws ShapeError for another number of axes or no terms; DTypeError.
 * @remarks O(terms input output) per channel.
 * @example
 * const basis = denseBasis(tf.stack([adjacency, tf.transpose(adjacency)]));
 */
export function denseBasis(tensor: Tensor3D | Tensor4D): ConvolutionBasis {
  checkTensor('denseBasis', 'tensor', tensor, ['float32']);
  if (tensor.rank !== 3 && tensor.rank !== 4) {
    throw new ShapeError(
      `denseBasis: tensor must have the axes [terms input output], or [samples terms input output], got [${tensor.shape.join(', ')}]`,
    );
  }
  if (tensor.shape.at(-3) === 0) throw new ShapeError('denseBasis: a basis has at least one term, got 0');
  return defineBasis(denseSpec(tensor, 'denseBasis', false));
}

/** The maps of the matrices, or of their transposes; `flipped` tells which. */
export function denseSpec(matrices: Tensor, name: string, flipped: boolean): BasisSpec {
  const isShared = matrices.rank === 3;
  const [terms, first, second] = matrices.shape.slice(-3) as [number, number, number];
  const [inputSize, outputSize] = flipped ? [second, first] : [first, second];
  const samples = isShared ? null : matrices.shape[0]!;
  // Letters of the axes: s sample, k term, m input, n output.
  const own = `${isShared ? '' : 's'}k${flipped ? 'nm' : 'mn'}`;
  const sizes: Record<string, number> = { s: samples ?? 1, k: terms, m: inputSize, n: outputSize };
  const as = (order: string) => {
    const axes = [...(isShared ? '' : 's'), ...order];
    return permuted(
      matrices,
      axes.map((letter) => own.indexOf(letter)),
    );
  };
  return {
    name,
    terms,
    inputSize,
    outputSize,
    edges: terms * inputSize * outputSize,
    samples,
    apply: (x) =>
      tidy(() => {
        const rows = product(as('nkm'), outputSize * terms, inputSize, x, samples);
        return viewAs<Tensor4D>(rows, [x.shape[0], outputSize, terms, x.shape[2]]);
      }),
    applySum: (h) =>
      tidy(() => {
        const stacked = viewAs<Tensor3D>(h, [h.shape[0], inputSize * terms, h.shape[3]]);
        return product(as('nmk'), outputSize, inputSize * terms, stacked, samples);
      }),
    applyEach: (h) =>
      tidy(() => {
        const [batch, , , dim] = h.shape;
        const graphs = viewAs(as('knm'), [sizes.s! * terms, outputSize, inputSize]);
        if (!isShared) {
          const each = viewAs(permuted(h, [0, 2, 1, 3]), [batch * terms, inputSize, dim]);
          return permuted<Tensor4D>(viewAs(matMul(graphs, each), [batch, terms, outputSize, dim]), [0, 2, 1, 3]);
        }
        const each = viewAs(permuted(h, [2, 1, 0, 3]), [terms, inputSize, batch * dim]);
        return permuted<Tensor4D>(viewAs(matMul(graphs, each), [terms, outputSize, batch, dim]), [2, 1, 0, 3]);
      }),
    transposed: () => denseSpec(matrices, name, !flipped),
    toDense: () => (flipped ? permuted(matrices, isShared ? [0, 2, 1] : [0, 1, 3, 2]) : copied(matrices)),
  };
}

/** `rows x depth` matrices times `x [batch, depth, channels]`: one for all samples, or one for each. */
function product(matrices: Tensor, rows: number, depth: number, x: Tensor3D, samples: number | null): Tensor3D {
  const [batch, , channels] = x.shape;
  if (samples !== null) return matMul(viewAs(matrices, [batch, rows, depth]), x) as Tensor3D;
  const wide = viewAs(permuted(x, [1, 0, 2]), [depth, batch * channels]);
  const made = viewAs(matMul(viewAs(matrices, [rows, depth]), wide), [rows, batch, channels]);
  return permuted<Tensor3D>(made, [1, 0, 2]);
}
