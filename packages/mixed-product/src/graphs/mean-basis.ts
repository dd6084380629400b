import { checkOptions } from '@mixfold/tensor-ops';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { basisOfEdges, readWeight } from '../basis/sparse-basis';
import { type CheckedGraph, type Graph, incoming, readGraph } from './graph';

/** The weights of every node's incoming edges over their sum. */
export function averaged(graph: CheckedGraph): CheckedGraph {
  const degree = incoming(graph);
  return { ...graph, weight: graph.weight.map((value, e) => (value === 0 ? 0 : value / degree[graph.target[e]!]!)) };
}

/**
 * The basis of GraphSAGE with the mean: every node itself, and the mean over the nodes that have an edge to it, weighted if the edges are.
 *
 * @param graph - `source`, `target`, `weight`, `nodes`.
 * @param options - `selfTerm`: whether the first term is every node itself. Default true; else the mean alone.
 * @returns The basis, with two terms, or one. A node without incoming edges has the mean 0.
 * @throws OptionError for nodes out of range or an unknown option; ShapeError for lists of unequal length.
 * @remarks O(edges + nodes) per channel.
 * @see Hamilton et al. 2017, https://arxiv.org/abs/1706.02216
 * @example
 * const y = generalizedConvolution(x, meanBasis(graph), theta); // theta [2, P, Q]
 */
export function meanBasis(graph: Graph, options: { readonly selfTerm?: boolean | undefined } = {}): ConvolutionBasis {
  checkOptions('meanBasis', options, { selfTerm: 'boolean' });
  return basisOfGraphs('meanBasis', [averaged(readGraph('meanBasis', graph))], options.selfTerm ?? true);
}

/** A term per graph; before them every node itself, if asked. All have the same nodes. */
export function basisOfGraphs(name: string, graphs: readonly CheckedGraph[], selfTerm: boolean): ConvolutionBasis {
  const nodes = graphs[0]!.nodes;
  const own = Int32Array.from({ length: nodes }, (_, i) => i);
  const itself: CheckedGraph = { source: own, target: own, weight: new Float64Array(nodes).fill(1), nodes };
  const all = selfTerm ? [itself, ...graphs] : graphs;
  const joined = (key: 'source' | 'target') => Int32Array.from(all.flatMap((graph) => Array.from(graph[key])));
  const [source, target] = [joined('source'), joined('target')];
  const term = Int32Array.from(all.flatMap((graph, k) => new Array<number>(graph.source.length).fill(k)));
  const weight = all.flatMap((graph) => Array.from(graph.weight));
  const edges = { source, target, term, inputSize: nodes, outputSize: nodes, terms: all.length };
  return basisOfEdges(name, edges, readWeight(name, weight, source.length));
}
