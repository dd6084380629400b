import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from '../basis/convolution-basis';
import { denseOf, type EdgeWeights, readWeight } from '../basis/sparse-basis';
import { type EdgeLists, edgeLists } from '../sparse-product/edge-lists';
import { sparseProduct } from '../sparse-product/edge-maps';
import { combined, concatenated, sliced, viewAs } from '../tape/views';
import { type Graph, readGraph, symmetric } from './graph';

/**
 * The Chebyshev polynomials of a graph's scaled Laplacian, `T_0 .. T_(terms-1)`: filters that reach `terms - 1` edges far.
 *
 * $$ \hat L = \tfrac{2}{\lambda_{max}} (I - D^{-1/2} A D^{-1/2}) - I, \qquad T_k = 2 \hat L\, T_{k-1} - T_{k-2} $$
 *
 * @param graph - `source`, `target`, `weight`, `nodes`; undirected, each edge listed both ways, for the Laplacian to be symmetric.
 * @param options - `terms`, at least 1; `lambdaMax`, the largest eigenvalue of the Laplacian, default 2, its bound.
 * @returns The basis.
 * @throws OptionError for nodes out of range, no terms, or an unknown option; ShapeError for lists of unequal length.
 * @remarks By the recursion on what is carried, forward, and by Clenshaw's where terms are summed: O(terms edges) per channel, and no power of a matrix
 *   is ever made. Each term on channels of its own (`applyEach`) costs O(terms^2 edges).
 * @see Defferrard et al. 2016, https://arxiv.org/abs/1606.09375
 * @example
 * const y = generalizedConvolution(x, chebyshevBasis(graph, { terms: 3 }), theta); // theta [3, P, Q]
 */
export function chebyshevBasis(
  graph: Graph,
  options: { readonly terms: number; readonly lambdaMax?: number | undefined },
): ConvolutionBasis {
  checkOptions('chebyshevBasis', options, { terms: 'positiveInteger', lambdaMax: 'positive' });
  const { terms, lambdaMax = 2 } = options;
  if (terms === undefined) throw new OptionError('chebyshevBasis: option terms is needed');
  const { source, target, weight, nodes } = symmetric(readGraph('chebyshevBasis', graph));
  const own = Int32Array.from({ length: nodes }, (_, i) => i);
  const diagonal = 2 / lambdaMax - 1;
  // With the bound of the eigenvalues the diagonal vanishes.
  const loops = diagonal === 0 ? new Int32Array(0) : own;
  const sides = {
    row: Int32Array.from([...target, ...loops]),
    column: Int32Array.from([...source, ...loops]),
    rows: nodes,
    columns: nodes,
  };
  const weights = [...weight.map((value) => (-2 / lambdaMax) * value), ...new Array<number>(loops.length).fill(diagonal)];
  const lists = edgeLists(sides);
  const laplacian = readWeight('chebyshevBasis', weights, weights.length);
  const dispose = () => {
    lists.dispose();
    laplacian.dispose();
  };
  return defineBasis({ ...chebyshevSpec(lists, laplacian, terms), dispose });
}

function chebyshevSpec(lists: EdgeLists, weight: EdgeWeights, terms: number): BasisSpec {
  const nodes = lists.rows;
  const step = (x: Tensor3D): Tensor3D => sparseProduct(x, weight.tensor(), lists);
  /** T_k x for k below `count`. */
  const powers = (x: Tensor3D, count: number): Tensor3D[] => {
    const made = [x];
    if (count > 1) made.push(step(x));
    while (made.length < count) made.push(combined(2, step(made.at(-1)!), -1, made.at(-2)!));
    return made;
  };
  const termOf = (h: Tensor4D, k: number) => viewAs<Tensor3D>(sliced(h, 2, k, 1), [h.shape[0], nodes, h.shape[3]]);
  const stacked = (parts: readonly Tensor3D[], [batch, , channels]: readonly number[]) =>
    viewAs<Tensor4D>(concatenated(parts, 2), [batch!, nodes, terms, channels!]);
  const spec: BasisSpec = {
    name: 'chebyshevBasis',
    terms,
    inputSize: nodes,
    outputSize: nodes,
    edges: Math.max(1, terms - 1) * lists.tensors().edgeRow.size,
    apply: (x) => tidy(() => stacked(powers(x, terms), x.shape)),
    applySum: (h) =>
      tidy(() => {
        // Clenshaw: b_k = h_k + 2 L b_(k+1) - b_(k+2), and T_0 counts L once.
        let [next, afterNext]: [Tensor3D | null, Tensor3D | null] = [null, null];
        for (let k = terms - 1; k > 0; k--) {
          let sum = termOf(h, k);
          if (next !== null) sum = combined(1, sum, 2, step(next));
          if (afterNext !== null) sum = combined(1, sum, -1, afterNext);
          [next, afterNext] = [sum, next];
        }
        let sum = termOf(h, 0);
        if (next !== null) sum = combined(1, sum, 1, step(next));
        if (afterNext !== null) sum = combined(1, sum, -1, afterNext);
        return sum;
      }),
    applyEach: (h) =>
      tidy(() => {
        const parts = Array.from({ length: terms }, (_, k) => powers(termOf(h, k), k + 1).at(-1)!);
        return stacked(parts, [h.shape[0], nodes, h.shape[3]]);
      }),
    transposed: () => chebyshevSpec(lists.transposed(), weight, terms),
    toDense: () => denseOf(spec),
  };
  return spec;
}
