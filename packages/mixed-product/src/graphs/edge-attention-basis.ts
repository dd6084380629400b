import { bindShapes, checkOptions, checkTensor, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { greater, mul, ones, type Tensor, type Tensor2D, type Tensor3D, tidy, where } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { checkSameLength, type Indices, readIndices } from '../basis/edge-indices';
import { basisOfEdges, edgesForTerms, weightsOf } from '../basis/sparse-basis';
import type { EdgeLists } from '../sparse-product/edge-lists';
import { edgeProduct, edgeSoftmax } from '../sparse-product/edge-maps';
import { differentiable } from '../tape/linear-map';
import { concatenated, viewAs } from '../tape/views';

/** Edges, and what attention along them is made of: scores of their ends, or of the edges themselves. */
export interface EdgeAttentionOptions {
  readonly source: Indices;
  readonly target: Indices;
  readonly inputSize: number;
  readonly outputSize: number;
  /** `[inputSize, heads]`, or `[samples, inputSize, heads]`: what an edge's source adds to its score. */
  readonly sourceScores?: Tensor2D | Tensor3D | undefined;
  /** `[outputSize, heads]`, or `[samples, outputSize, heads]`: what its target adds. */
  readonly targetScores?: Tensor2D | Tensor3D | undefined;
  /** Of the leaky ReLU on the sum of both. Default 0.2. */
  readonly slope?: number | undefined;
  /** Instead of both: `[edges, heads]`, or `[samples, edges, heads]`. */
  readonly scores?: Tensor2D | Tensor3D | undefined;
}

const rules = {
  source: 'unchecked',
  target: 'unchecked',
  inputSize: 'nonNegativeInteger',
  outputSize: 'nonNegativeInteger',
  sourceScores: 'tensor',
  targetScores: 'tensor',
  slope: 'finite',
  scores: 'tensor',
} as const;

/**
 * The basis of graph attention: a term per head, whose weights are a softmax over the edges that end in a node.
 *
 * $$ A_k[m, n] = \mathrm{softmax}_{m \to n}\, \mathrm{leakyReLU}(s_{mk} + t_{nk}) $$
 *
 * @param options - `source`, `target`, `inputSize`, `outputSize`; `sourceScores` and `targetScores` with `slope`, as in the paper (`a^T W h` of either
 *   end), or `scores` of the edges from anywhere.
 * @returns The basis; differentiable in the scores. A node without incoming edges receives 0. Add edges from every node to itself if it should see itself.
 * @throws OptionError for nodes out of range, an unknown option, or neither kind of scores; ShapeError if the tensors disagree; DTypeError.
 * @remarks O(edges heads) per channel; for any finite scores.
 * @see Velickovic et al. 2018, https://arxiv.org/abs/1710.10903
 * @example
 * const basis = edgeAttentionBasis({ source, target, inputSize: nodes, outputSize: nodes, sourceScores, targetScores });
 */
export function edgeAttentionBasis(options: EdgeAttentionOptions): ConvolutionBasis {
  checkOptions('edgeAttentionBasis', options, rules);
  const { inputSize, outputSize, sourceScores, targetScores, scores, slope = 0.2 } = options;
  if (inputSize === undefined || outputSize === undefined)
    throw new OptionError('edgeAttentionBasis: inputSize and outputSize are needed');
  if (scores ? sourceScores || targetScores : !(sourceScores && targetScores)) {
    throw new OptionError('edgeAttentionBasis: give sourceScores and targetScores, or scores alone');
  }
  const source = readIndices('edgeAttentionBasis', 'source', options.source, inputSize, 'inputSize');
  const target = readIndices('edgeAttentionBasis', 'target', options.target, outputSize, 'outputSize');
  checkSameLength('edgeAttentionBasis', { source, target });
  const given = (scores ?? sourceScores)!;
  for (const [name, tensor] of Object.entries({ scores, sourceScores, targetScores })) {
    if (tensor) checkTensor('edgeAttentionBasis', name, tensor, ['float32']);
  }
  if (given.rank !== 2 && given.rank !== 3) {
    throw new ShapeError(
      `edgeAttentionBasis: scores must be [.., heads] with or without samples, got [${given.shape.join(', ')}]`,
    );
  }
  const samples = given.rank === 3 ? 'samples ' : '';
  const { heads } = bindShapes('edgeAttentionBasis', {
    edges: [{ shape: [inputSize, outputSize, source.length] }, 'inputSize outputSize edges'],
    ...(scores
      ? { scores: [scores, `${samples}edges heads`] }
      : {
          sourceScores: [sourceScores!, `${samples}inputSize heads`],
          targetScores: [targetScores!, `${samples}outputSize heads`],
        }),
  } as Record<string, readonly [{ shape: number[] }, string]>) as unknown as { heads: number };
  const batch = given.rank === 3 ? given.shape[0]! : 1;
  const ends = edgesForTerms(source, target, heads);
  const edges = { ...ends, inputSize, outputSize, terms: heads };
  return basisOfEdges('edgeAttentionBasis', edges, (each) => {
    const weights = tidy(() => {
      const along = scores
        ? viewAs<Tensor2D>(scores, [batch, source.length * heads])
        : leaky(sumOfEnds(sourceScores!, targetScores!, batch, each), slope);
      const made = edgeSoftmax(along, each);
      return given.rank === 3 ? made : viewAs(made, [source.length * heads]);
    });
    return weightsOf(weights as Tensor2D, true);
  });
}

/** The scores of both ends of every edge, added: an inner product with ones. */
function sumOfEnds(source: Tensor, target: Tensor, batch: number, each: EdgeLists): Tensor2D {
  const side = (scores: Tensor, isFirst: boolean) => {
    const own = viewAs(scores, [batch, scores.size / batch, 1]);
    const one = ones(own.shape);
    return concatenated<Tensor3D>(isFirst ? [own, one] : [one, own], 2);
  };
  return edgeProduct(side(source, true), side(target, false), each);
}

/** Written with a choice and not a maximum, for slopes above 1. */
function leaky(x: Tensor2D, slope: number): Tensor2D {
  const scaled = (chosen: Tensor, value: Tensor) => where(greater(chosen, 0), value, mul(value, slope));
  return differentiable(
    [x],
    ([given]) => scaled(given!, given!),
    (dResult, [given]) => [scaled(given!, dResult)],
  );
}
