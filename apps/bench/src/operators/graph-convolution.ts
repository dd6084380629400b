import { edgeProductOperator, edgeSoftmaxOperator, sparseProductOperator } from '@mixfold/mixed-product';
import { matMul, matMulOperator } from '@mixfold/tensor-ops';
import type * as tf from '@tensorflow/tfjs-core';
import { type EdgeLists, edgeLists } from '../../../../packages/mixed-product/src/sparse-product/edge-lists';
import { edgeProduct, edgeSoftmax, sparseProduct } from '../../../../packages/mixed-product/src/sparse-product/edge-maps';
import { Draw, type Input } from '../draw';
import { operatorCase, type Sizes } from '../operator-case';

/** Edges by the sizes of a case, which all cases of those sizes share: they are lists on the host, sorted once, as a model has them. */
const drawn = new Map<string, { source: Int32Array; target: Int32Array }>();
const keyOf = ({ nodes, edges }: Sizes) => `${nodes} ${edges}`;

function drawEdges(sizes: Sizes): Record<'source' | 'target', Input> {
  const draw = new Draw(sizes.edges!);
  const [source, target] = [draw.ids([sizes.edges!], sizes.nodes!), draw.ids([sizes.edges!], sizes.nodes!)];
  // A graph is stored by target: so are the edges of other libraries' fast paths.
  target.data.sort();
  drawn.set(keyOf(sizes), { source: source.data as Int32Array, target: target.data as Int32Array });
  return { source, target };
}

let listed: { key: string; lists: EdgeLists } | undefined;

function listsOf(sizes: Sizes): EdgeLists {
  const key = keyOf(sizes);
  if (listed?.key !== key) {
    listed?.lists.dispose();
    const { source, target } = drawn.get(key)!;
    listed = { key, lists: edgeLists({ row: target, column: source, rows: sizes.nodes!, columns: sizes.nodes! }) };
  }
  return listed.lists;
}

const sizes = {
  check: { batch: 2, nodes: 67, edges: 331, dim: 33, outputDim: 17 },
  cpu: { batch: 1, nodes: 100_000, edges: 1_000_000, dim: 64, outputDim: 64 },
  gpu: { batch: 1, nodes: 200_000, edges: 4_000_000, dim: 128, outputDim: 128 },
};

/** Sums along edges in float64: from `from` to `to`, weighted. */
function carried(
  { batch, nodes, edges, dim }: Sizes,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let b = 0; b < batch!; b++) {
    for (let e = 0; e < edges!; e++) {
      const [read, write] = [(b * nodes! + from[e]!) * dim!, (b * nodes! + to[e]!) * dim!];
      for (let c = 0; c < dim!; c++) out[write + c]! += weight[e]! * x[read + c]!;
    }
  }
  return out;
}

function product(
  rows: ArrayLike<number>,
  matrix: ArrayLike<number>,
  depth: number,
  columns: number,
  transposed = false,
): Float64Array {
  const out = new Float64Array((rows.length / depth) * columns);
  for (let i = 0; i < rows.length / depth; i++) {
    for (let k = 0; k < depth; k++) {
      const left = rows[i * depth + k]!;
      for (let j = 0; j < columns; j++) out[i * columns + j]! += left * matrix[transposed ? j * depth + k : k * columns + j]!;
    }
  }
  return out;
}

export const graphConvolutionCase = operatorCase({
  name: 'graph-convolution',
  about: 'sums along the edges of a sparse graph, then a product with the weights',
  operators: [sparseProductOperator, matMulOperator],
  sizes,
  repeats: 'edges',
  onlyFull: true,
  inputs: (given, draw) => ({
    x: draw.normals([given.batch, given.nodes, given.dim]),
    weight: draw.normals([1, given.edges]),
    theta: draw.normals([given.dim, given.outputDim], { deviation: 0.1 }),
    ...drawEdges(given),
  }),
  ours: ({ x, weight, theta }, given) =>
    matMul(sparseProduct(x as tf.Tensor3D, weight as tf.Tensor2D, listsOf(given)), theta as tf.Tensor2D),
  reference({ x, weight, theta, source, target }, given) {
    return product(carried(given, x.data, weight.data, source.data, target.data), theta.data, given.dim, given.outputDim);
  },
  gradients({ x, weight, theta, source, target }, dOutput, given) {
    const { batch, nodes, edges, dim, outputDim } = given;
    const received = product(dOutput, theta.data, outputDim, dim, true);
    const own = carried(given, x.data, weight.data, source.data, target.data);
    const dTheta = new Float64Array(dim * outputDim);
    for (let i = 0; i < batch * nodes; i++) {
      for (let p = 0; p < dim; p++)
        for (let q = 0; q < outputDim; q++) dTheta[p * outputDim + q]! += own[i * dim + p]! * dOutput[i * outputDim + q]!;
    }
    const dWeight = new Float64Array(edges);
    for (let b = 0; b < batch; b++) {
      for (let e = 0; e < edges; e++) {
        const [read, write] = [(b * nodes + source.data[e]!) * dim, (b * nodes + target.data[e]!) * dim];
        for (let c = 0; c < dim; c++) dWeight[e]! += x.data[read + c]! * received[write + c]!;
      }
    }
    return { x: carried(given, received, weight.data, target.data, source.data), weight: dWeight, theta: dTheta };
  },
  flops: ({ batch, nodes, edges, dim, outputDim }) => {
    const forward = 2 * batch * (edges * dim + nodes * dim * outputDim);
    return { forward, both: 3 * forward };
  },
  peers: {
    torch: `
rows = x[:, source.long()] * weight[0][:, None]
carried = torch.zeros(batch, nodes, dim, dtype=x.dtype, device=x.device).index_add(1, target.long(), rows)
return carried @ theta`,
  },
});

const edgeSizes = {
  check: { batch: 2, nodes: 67, edges: 331, dim: 33 },
  cpu: { batch: 1, nodes: 20_000, edges: 200_000, dim: 64 },
  gpu: { batch: 1, nodes: 200_000, edges: 4_000_000, dim: 64 },
};

export const edgeProductCase = operatorCase({
  name: 'edge-product',
  about: 'inner products of the two ends of every edge',
  operators: [edgeProductOperator],
  sizes: edgeSizes,
  repeats: 'edges',
  inputs: (given, draw) => ({
    left: draw.normals([given.batch, given.nodes, given.dim]),
    right: draw.normals([given.batch, given.nodes, given.dim]),
    ...drawEdges(given),
  }),
  ours: ({ left, right }, given) => edgeProduct(left as tf.Tensor3D, right as tf.Tensor3D, listsOf(given)),
  reference({ left, right, source, target }, { batch, nodes, edges, dim }) {
    const out = new Float64Array(batch * edges);
    for (let i = 0; i < out.length; i++) {
      const [b, e] = [Math.floor(i / edges), i % edges];
      const [from, to] = [(b * nodes + source.data[e]!) * dim, (b * nodes + target.data[e]!) * dim];
      for (let c = 0; c < dim; c++) out[i]! += left.data[from + c]! * right.data[to + c]!;
    }
    return out;
  },
  gradients({ left, right, source, target }, dOutput, given) {
    const { batch, nodes, edges, dim } = given;
    const made = { left: new Float64Array(left.data.length), right: new Float64Array(right.data.length) };
    for (let i = 0; i < batch * edges; i++) {
      const [b, e] = [Math.floor(i / edges), i % edges];
      const [from, to] = [(b * nodes + source.data[e]!) * dim, (b * nodes + target.data[e]!) * dim];
      for (let c = 0; c < dim; c++) {
        made.left[from + c]! += dOutput[i]! * right.data[to + c]!;
        made.right[to + c]! += dOutput[i]! * left.data[from + c]!;
      }
    }
    return made;
  },
  peers: { torch: 'return (left[:, source.long()] * right[:, target.long()]).sum(2)' },
});

export const edgeSoftmaxCase = operatorCase({
  name: 'edge-softmax',
  about: 'softmax over the edges that end in a node',
  operators: [edgeSoftmaxOperator],
  sizes: edgeSizes,
  repeats: 'edges',
  inputs: (given, draw) => ({ scores: draw.normals([given.batch, given.edges]), ...drawEdges(given) }),
  ours: ({ scores }, given) => edgeSoftmax(scores, listsOf(given)),
  reference: ({ scores, target }, given) => softmaxOf(scores.data, target.data, given),
  gradients({ scores, target }, dOutput, given) {
    const { batch, nodes, edges } = given;
    const weights = softmaxOf(scores.data, target.data, given);
    const means = new Float64Array(batch * nodes);
    const rowOf = (i: number) => Math.floor(i / edges) * nodes + target.data[i % edges]!;
    weights.forEach((weight, i) => {
      means[rowOf(i)]! += weight * dOutput[i]!;
    });
    return { scores: weights.map((weight, i) => weight * (dOutput[i]! - means[rowOf(i)]!)) };
  },
  peers: {
    torch: `
to = target.long().expand(batch, edges)
largest = torch.full((batch, nodes), -1e30, dtype=scores.dtype, device=scores.device).scatter_reduce(1, to, scores.detach(), 'amax')
exponentials = torch.exp(scores - largest.gather(1, to))
totals = torch.zeros(batch, nodes, dtype=scores.dtype, device=scores.device).scatter_add(1, to, exponentials)
return exponentials / totals.gather(1, to)`,
  },
});

function softmaxOf(scores: ArrayLike<number>, target: ArrayLike<number>, { batch, nodes, edges }: Sizes): Float64Array {
  const rowOf = (i: number) => Math.floor(i / edges!) * nodes! + target[i % edges!]!;
  const largest = new Float64Array(batch! * nodes!).fill(Number.NEGATIVE_INFINITY);
  const totals = new Float64Array(batch! * nodes!);
  for (let i = 0; i < scores.length; i++) largest[rowOf(i)] = Math.max(largest[rowOf(i)]!, scores[i]!);
  const out = Float64Array.from(scores, (score, i) => Math.exp(score - largest[rowOf(i)]!));
  out.forEach((value, i) => {
    totals[rowOf(i)]! += value;
  });
  return out.map((value, i) => value / totals[rowOf(i)]!);
}
