import { OptionError } from '@mixfold/tensor-ops';
import { checkSameLength, type Indices, readIndices } from '../basis/edge-indices';

/** A graph on one set of nodes, by its edges in any order; edges that stand twice add. */
export interface Graph {
  /** Per edge the node it starts from. An undirected graph lists each edge both ways. */
  readonly source: Indices;
  /** Per edge the node it ends in. */
  readonly target: Indices;
  /** Per edge its weight, on the host. Default: 1. */
  readonly weight?: ArrayLike<number> | undefined;
  readonly nodes: number;
}

/** A graph that has been checked. */
export interface CheckedGraph {
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly weight: Float64Array;
  readonly nodes: number;
}

/** @throws OptionError for nodes out of range or weights that are not finite; ShapeError for lists of unequal length. */
export function readGraph(functionName: string, graph: Graph): CheckedGraph {
  const { nodes } = graph ?? {};
  if (!(Number.isSafeInteger(nodes) && nodes >= 0)) {
    throw new OptionError(`${functionName}: graph.nodes must be an integer, 0 or above, got ${nodes}`);
  }
  const source = readIndices(functionName, 'source', graph.source, nodes, 'nodes');
  const target = readIndices(functionName, 'target', graph.target, nodes, 'nodes');
  if (graph.weight !== undefined && typeof (graph.weight as { length?: unknown }).length !== 'number') {
    throw new OptionError(
      `${functionName}: graph.weight must be an array, for it is normalised on the host; give sparseBasis a tensor to train the weights of edges`,
    );
  }
  const weight = graph.weight === undefined ? new Float64Array(source.length).fill(1) : Float64Array.from(graph.weight);
  checkSameLength(functionName, { source, target, weight });
  const bad = weight.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new OptionError(`${functionName}: weight[${bad}] is ${weight[bad]}, but must be a finite number`);
  return { source, target, weight, nodes };
}

/** The sum of the weights that end in each node. */
export function incoming({ target, weight, nodes }: CheckedGraph): Float64Array {
  const sums = new Float64Array(nodes);
  target.forEach((node, e) => {
    sums[node]! += weight[e]!;
  });
  return sums;
}

/** The same with an edge of weight 1 from every node to itself. */
export function withSelfLoops({ source, target, weight, nodes }: CheckedGraph): CheckedGraph {
  const own = Int32Array.from({ length: nodes }, (_, i) => i);
  const joined = (ends: Int32Array) => Int32Array.from([...ends, ...own]);
  return { source: joined(source), target: joined(target), weight: Float64Array.from([...weight, ...own.fill(1)]), nodes };
}

/** The weights over the root of the degrees at both ends; an edge at a node without a degree above 0 gets 0. */
export function symmetric(graph: CheckedGraph): CheckedGraph {
  const degree = incoming(graph);
  const scale = degree.map((value) => (value > 0 ? 1 / Math.sqrt(value) : 0));
  const weight = graph.weight.map((value, e) => value * scale[graph.source[e]!]! * scale[graph.target[e]!]!);
  return { ...graph, weight };
}
