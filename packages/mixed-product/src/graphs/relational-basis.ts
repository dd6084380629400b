import { checkOptions, OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { type Graph, readGraph } from './graph';
import { averaged, basisOfGraphs } from './mean-basis';

/**
 * The basis of a relational graph convolutional network: a term per relation, each the mean over incoming edges, and every node itself.
 *
 * @param graphs - One per relation, all on the same nodes.
 * @param options - `normalize`: `'mean'` (default) divides by the weight that ends in a node, `'none'` leaves the weights. `selfTerm`: whether the first
 *   term is every node itself (default true).
 * @returns The basis, with one term per relation, and one more before them.
 * @throws OptionError for no graphs, nodes out of range or an unknown option; ShapeError if the graphs differ in their nodes.
 * @remarks O(edges) per channel. The basis decomposition of the paper, `Theta_r = sum_b c_rb V_b`, is a change of basis:
 *   `generalizedConvolution(x, reweightBasis(relationalBasis(graphs), c), v)`; its block-diagonal one is `groupedParameter`.
 * @see Schlichtkrull et al. 2018, https://arxiv.org/abs/1703.06103
 * @example
 * const y = generalizedConvolution(x, relationalBasis([follows, likes]), theta); // theta [3, P, Q]
 */
export function relationalBasis(
  graphs: readonly Graph[],
  options: { readonly normalize?: 'mean' | 'none' | undefined; readonly selfTerm?: boolean | undefined } = {},
): ConvolutionBasis {
  checkOptions('relationalBasis', options, { normalize: ['mean', 'none'], selfTerm: 'boolean' });
  if (!Array.isArray(graphs) || graphs.length === 0) throw new OptionError('relationalBasis: there must be at least one graph');
  const checked = graphs.map((graph) => readGraph('relationalBasis', graph));
  const strange = checked.findIndex(({ nodes }) => nodes !== checked[0]!.nodes);
  if (strange > 0) {
    throw new ShapeError(
      `relationalBasis: graphs must share their nodes, graph 0 has ${checked[0]!.nodes} and graph ${strange} has ${checked[strange]!.nodes}`,
    );
  }
  const normalized = (options.normalize ?? 'mean') === 'mean' ? checked.map(averaged) : checked;
  return basisOfGraphs('relationalBasis', normalized, options.selfTerm ?? true);
}
