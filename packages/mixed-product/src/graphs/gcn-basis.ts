import { checkOptions } from '@mixfold/tensor-ops';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { basisOfEdges, readWeight } from '../basis/sparse-basis';
import { type Graph, readGraph, symmetric, withSelfLoops } from './graph';

/**
 * The basis of a graph convolutional network: one graph, its weights over the roots of the degrees of both ends.
 *
 * $$ A = \tilde D^{-1/2} (A + I)\, \tilde D^{-1/2} $$
 *
 * The degree of a node is the sum of the weights that end in it; a node without any, and its edges, get 0.
 *
 * @param graph - `source`, `target`, `weight`, `nodes`.
 * @param options - `selfLoops`: whether every node has an edge to itself. Default true.
 * @returns The basis, with one term.
 * @throws OptionError for nodes out of range or an unknown option; ShapeError for lists of unequal length.
 * @remarks O(edges) per channel. The weights are normalised once, on the host, in float64.
 * @see Kipf and Welling 2017, https://arxiv.org/abs/1609.02907
 * @example
 * const y = generalizedConvolution(x, gcnBasis({ source: [0, 1], target: [1, 0], nodes: 2 }), theta);
 */
export function gcnBasis(graph: Graph, options: { readonly selfLoops?: boolean | undefined } = {}): ConvolutionBasis {
  checkOptions('gcnBasis', options, { selfLoops: 'boolean' });
  const given = readGraph('gcnBasis', graph);
  const { source, target, weight, nodes } = symmetric((options.selfLoops ?? true) ? withSelfLoops(given) : given);
  const edges = { source, target, inputSize: nodes, outputSize: nodes, terms: 1 };
  return basisOfEdges('gcnBasis', edges, readWeight('gcnBasis', weight, source.length));
}
