import { bindShapes, checkOptions, checkTensor, OptionError } from '@mixfold/tensor-ops';
import {
  add,
  div,
  exp,
  expandDims,
  mul,
  neg,
  reshape,
  slice,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tensor1d,
  tidy,
} from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { checkSameLength, type Indices, readIndices } from '../basis/edge-indices';
import { basisOfEdges, edgesForTerms, weightsOf } from '../basis/sparse-basis';
import { columnSums } from '../tape/add-bias';
import { differentiable } from '../tape/linear-map';
import { viewAs } from '../tape/views';

/** A graph whose edges have coordinates, and the Gaussians that weigh them. */
export interface GaussianMixtureOptions {
  readonly source: Indices;
  readonly target: Indices;
  readonly nodes: number;
  /** `[edges, coordinates]`: where each edge points, such as the difference of its ends. */
  readonly coordinates: Tensor2D;
  /** `[terms, coordinates]`. */
  readonly means: Tensor2D;
  /** `[terms, coordinates]`, not 0. */
  readonly deviations: Tensor2D;
  /** Whether the weights are divided by the number of edges that end in their node. Default true. */
  readonly normalize?: boolean | undefined;
}

const rules = {
  source: 'unchecked',
  target: 'unchecked',
  nodes: 'nonNegativeInteger',
  coordinates: 'tensor',
  means: 'tensor',
  deviations: 'tensor',
  normalize: 'boolean',
} as const;

/**
 * The basis of mixture model networks: a term per Gaussian, which weighs every edge by where it points.
 *
 * $$ A_k[m, n] = \frac{1}{|N(n)|} \exp\left(-\tfrac12 \sum_r \left(\frac{e_{mn,r} - \mu_{kr}}{\sigma_{kr}}\right)^2\right) $$
 *
 * @param options - `source`, `target`, `nodes`; `coordinates [edges, R]`, `means [terms, R]`, `deviations [terms, R]`; `normalize` (default true).
 * @returns The basis; differentiable in coordinates, means and deviations.
 * @throws OptionError for nodes out of range or an unknown option; ShapeError if the tensors disagree; DTypeError.
 * @remarks O(edges terms) per channel.
 * @see Monti et al. 2017, https://arxiv.org/abs/1611.08402
 * @example
 * const basis = gaussianMixtureBasis({ source, target, nodes, coordinates, means, deviations });
 */
export function gaussianMixtureBasis(options: GaussianMixtureOptions): ConvolutionBasis {
  checkOptions('gaussianMixtureBasis', options, rules);
  const { nodes, coordinates, means, deviations, normalize = true } = options;
  if (nodes === undefined) throw new OptionError('gaussianMixtureBasis: option nodes is needed');
  const source = readIndices('gaussianMixtureBasis', 'source', options.source, nodes, 'nodes');
  const target = readIndices('gaussianMixtureBasis', 'target', options.target, nodes, 'nodes');
  for (const [name, tensor] of Object.entries({ coordinates, means, deviations })) {
    checkTensor('gaussianMixtureBasis', name, tensor, ['float32']);
  }
  const { terms, edges } = bindShapes('gaussianMixtureBasis', {
    coordinates: [coordinates, 'edges coordinates'],
    means: [means, 'terms coordinates'],
    deviations: [deviations, 'terms coordinates'],
  });
  checkSameLength('gaussianMixtureBasis', { source, target, coordinates: { length: edges } });
  const count = new Float64Array(nodes);
  for (const node of target) count[node]!++;
  const share = Float32Array.from(target, (node) => (normalize ? 1 / count[node]! : 1));
  const weight = tidy(() => viewAs(gaussians(coordinates, means, deviations, tensor1d(share)), [edges * terms]));
  const ends = edgesForTerms(source, target, terms);
  return basisOfEdges(
    'gaussianMixtureBasis',
    { ...ends, inputSize: nodes, outputSize: nodes, terms },
    weightsOf(weight as never, true),
  );
}

/** `[edges, terms]`; one coordinate at a time, so that nothing larger is made. */
function gaussians(coordinates: Tensor2D, means: Tensor2D, deviations: Tensor2D, share: Tensor): Tensor {
  const count = coordinates.shape[1];
  const column = (x: Tensor, r: number) => slice(x, [0, r], [-1, 1]);
  /** Of coordinate r, how many deviations every edge is from every mean, `[edges, terms]`. */
  const distance = ([at, mean, deviation]: readonly Tensor[], r: number) => {
    const row = (x: Tensor) => reshape(column(x, r), [1, -1]);
    return div(sub(column(at!, r), row(mean!)), row(deviation!));
  };
  return differentiable(
    [coordinates, means, deviations, share],
    (given) => {
      let squares: Tensor = square(distance(given, 0));
      for (let r = 1; r < count; r++) squares = add(squares, square(distance(given, r)));
      return mul(exp(mul(squares, -0.5)), expandDims(given[3]!, 1));
    },
    (dResult, given, value) => {
      const received = mul(dResult, value);
      const gradients = Array.from({ length: count }, (_, r) => {
        const z = distance(given, r);
        const dMean = div(mul(received, z), reshape(column(given[2]!, r), [1, -1]));
        return [neg(sum(dMean, 1)), columnSums(dMean), columnSums(mul(dMean, z))] as const;
      });
      const own = ([0, 1, 2] as const).map((i) =>
        stack(
          gradients.map((parts) => parts[i]),
          1,
        ),
      );
      return [...own, sum(dResult, 1)];
    },
  );
}
