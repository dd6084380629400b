import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { reweightBasis } from '../basis/reweight-basis';
import { agreesWithItsMatrices } from '../basis/test-twins';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { convolutionReference } from '../generalized-convolution/reference';
import { edgeSoftmaxReference, matricesOfEdges } from '../sparse-product/reference';
import { agrees } from '../test-agreement';
import { chebyshevBasis } from './chebyshev-basis';
import { edgeAttentionBasis } from './edge-attention-basis';
import { gaussianMixtureBasis } from './gaussian-mixture-basis';
import { gcnBasis } from './gcn-basis';
import type { Graph } from './graph';
import { meanBasis } from './mean-basis';
import { relationalBasis } from './relational-basis';

type Matrix = number[][];

/** An undirected graph of five nodes, unsorted, one edge twice, node 4 alone. */
const graph: Graph = {
  source: [2, 0, 1, 2, 3, 0, 0, 1],
  target: [0, 2, 2, 1, 0, 3, 1, 0],
  weight: [1, 1, 2, 2, 1, 1, 3, 3],
  nodes: 5,
};

const adjacency = ({ source, target, weight, nodes }: Graph): Matrix => {
  const a = Array.from({ length: nodes }, () => new Array<number>(nodes).fill(0));
  Array.from(source).forEach((m, e) => {
    a[m]![target[e]!]! += weight?.[e] ?? 1;
  });
  return a;
};

const matrixOf = (of: (m: number, n: number) => number, size = 5): Matrix =>
  Array.from({ length: size }, (_, m) => Array.from({ length: size }, (_, n) => of(m, n)));
const times = (a: Matrix, b: Matrix): Matrix => matrixOf((m, n) => a[m]!.reduce((sum, x, i) => sum + x * b[i]![n]!, 0), a.length);
const columnSum = (a: Matrix, n: number) => a.reduce((sum, row) => sum + row[n]!, 0);
const identity = matrixOf((m, n) => Number(m === n));

/** D^-1/2 A D^-1/2, 0 at nodes without edges. */
function normalized(a: Matrix): Matrix {
  const scale = a.map((_, n) => (columnSum(a, n) > 0 ? 1 / Math.sqrt(columnSum(a, n)) : 0));
  return matrixOf((m, n) => a[m]![n]! * scale[m]! * scale[n]!);
}

describeForms('graph bases', { fused: ['wasm', 'webgpu'] }, (form) => {
  if (form.name === 'webgpu' && form.form === 'composed')
    return test('are tested on other forms', () => expect(form.form).toBe('composed'));
  const holds = async (basis: Parameters<typeof agreesWithItsMatrices>[1], expected: readonly Matrix[]) => {
    const dense = await agreesWithItsMatrices(form, basis);
    const shape = [expected.length, expected[0]!.length, expected[0]!.length];
    await assertClose('graphs', dense, { shape, data: expected.flat(2) }, { relative: 2 * form.tolerance.forward });
  };
  const a = adjacency(graph);

  test('GCN: one graph with self loops, over the roots of the degrees', async () => {
    await holds(gcnBasis(graph), [normalized(matrixOf((m, n) => a[m]![n]! + identity[m]![n]!))]);
    await holds(gcnBasis(graph, { selfLoops: false }), [normalized(a)]);
  });

  test.each([2, 1.7])('Chebyshev: the polynomials of the scaled Laplacian, largest eigenvalue %f', async (lambdaMax) => {
    const laplacian = normalized(a).map((row, m) =>
      row.map((x, n) => (2 / lambdaMax) * (identity[m]![n]! - x) - identity[m]![n]!),
    );
    const expected = [identity, laplacian];
    for (let k = 2; k < 5; k++) {
      const next = times(laplacian, expected[k - 1]!);
      expected.push(next.map((row, m) => row.map((x, n) => 2 * x - expected[k - 2]![m]![n]!)));
    }
    for (const terms of form.name === 'webgpu' ? [4] : [1, 2, 3, 5]) {
      await holds(chebyshevBasis(graph, { terms, lambdaMax }), expected.slice(0, terms));
    }
  });

  test('the mean: a column of every node that has edges sums to 1', async () => {
    const mean = matrixOf((m, n) => (a[m]![n] === 0 ? 0 : a[m]![n]! / columnSum(a, n)));
    await holds(meanBasis(graph), [identity, mean]);
    await holds(meanBasis(graph, { selfTerm: false }), [mean]);
  });

  test('relations: a mean each, and every node itself; the basis decomposition of the paper', async () => {
    const other: Graph = { source: [4, 4], target: [0, 1], nodes: 5 };
    const [first, second] = [a, adjacency(other)].map((own) =>
      matrixOf((m, n) => (own[m]![n] === 0 ? 0 : own[m]![n]! / columnSum(own, n))),
    );
    const basis = relationalBasis([graph, other]);
    await holds(basis, [identity, first!, second!]);
    await holds(relationalBasis([graph, other], { normalize: 'none', selfTerm: false }), [a, adjacency(other)]);
    const random = new SeededRandom(6);
    const [x, v, c] = [
      tensorOf<tf.Tensor3D>(random.normals([1, 5, 3])),
      tensorOf<tf.Tensor3D>(random.normals([2, 3, 4])),
      tensorOf<tf.Tensor2D>(random.normals([3, 2])),
    ];
    // Not a product with v: tfjs-wasm remembers the right factor of one by its data, and writes past the end where that has another shape.
    const theta = tf.sum(tf.mul(tf.reshape(c, [3, 2, 1, 1]), tf.expandDims(v, 0)), 1) as tf.Tensor3D;
    const [few, all] = [
      form.run(() => generalizedConvolution(x, reweightBasis(basis, c), v)),
      form.run(() => generalizedConvolution(x, basis, theta)),
    ];
    await assertClose('decomposed', few, await all.data(), { relative: 5 * form.tolerance.forward });
  });

  test('a Gaussian mixture weighs edges by where they point, and learns where', async () => {
    const { source, target, nodes } = graph;
    const random = new SeededRandom(7);
    const inputs = {
      x: random.normals([1, 5, 2]),
      coordinates: random.normals([8, 2]),
      means: random.normals([3, 2]),
      deviations: random.uniforms([3, 2], 0.5, 1.5),
      theta: random.normals([3, 2, 2]),
    };
    const incoming = Array.from(target).map((node) => Array.from(target).filter((other) => other === node).length);
    const weights = (coordinates: ArrayLike<number>, means: ArrayLike<number>, deviations: ArrayLike<number>) =>
      Array.from({ length: 24 }, (_, i) => {
        const [e, k] = [Math.floor(i / 3), i % 3];
        const squares = [0, 1].map((r) => ((coordinates[e * 2 + r]! - means[k * 2 + r]!) / deviations[k * 2 + r]!) ** 2);
        return Math.exp(-0.5 * (squares[0]! + squares[1]!)) / incoming[e]!;
      });
    const spread = (ends: ArrayLike<number>) => Array.from({ length: 24 }, (_, i) => ends[Math.floor(i / 3)]!);
    const edges = { source: spread(source), target: spread(target), term: Array.from({ length: 24 }, (_, i) => i % 3) };
    await agrees(
      form,
      inputs,
      ({ x, theta, ...own }) =>
        generalizedConvolution(
          x as tf.Tensor3D,
          gaussianMixtureBasis({
            source,
            target,
            nodes,
            ...(own as never as Record<'coordinates' | 'means' | 'deviations', tf.Tensor2D>),
          }),
          theta as tf.Tensor3D,
        ),
      ({ x, coordinates, means, deviations, theta }) =>
        convolutionReference(
          { batch: 1, terms: 3, source: 5, target: 5, inputDim: 2, outputDim: 2 },
          { x, basis: matricesOfEdges(edges, weights(coordinates, means, deviations), [3, 5, 5]), theta },
        ),
      random.normals([10]).data,
    );
  });

  test.each([1, 2])('attention along edges, %i samples: softmax over the edges that end in a node', async (batch) => {
    const [heads, E] = [2, 8];
    const { source, target } = graph;
    const random = new SeededRandom(8);
    const own = batch === 1 ? [] : [batch];
    const inputs = {
      x: random.normals([batch, 5, 2]),
      sourceScores: random.normals([...own, 5, heads], 2),
      targetScores: random.normals([...own, 5, heads], 2),
      theta: random.normals([heads, 2, 3]),
    };
    const row = Array.from({ length: E * heads }, (_, i) => target[Math.floor(i / heads)]! * heads + (i % heads));
    const edges = {
      source: Array.from({ length: E * heads }, (_, i) => source[Math.floor(i / heads)]!),
      target: Array.from({ length: E * heads }, (_, i) => target[Math.floor(i / heads)]!),
      term: Array.from({ length: E * heads }, (_, i) => i % heads),
    };
    await agrees(
      form,
      inputs,
      ({ x, sourceScores, targetScores, theta }) =>
        generalizedConvolution(
          x as tf.Tensor3D,
          edgeAttentionBasis({
            source,
            target,
            inputSize: 5,
            outputSize: 5,
            sourceScores: sourceScores as never,
            targetScores: targetScores as never,
          }),
          theta as tf.Tensor3D,
        ),
      ({ x, sourceScores, targetScores, theta }) => {
        const basis = Array.from({ length: batch }, (_, b) => {
          const scores = row.map((_, i) => {
            const [e, k] = [Math.floor(i / heads), i % heads];
            const sum = sourceScores[(b * 5 + source[e]!) * heads + k]! + targetScores[(b * 5 + target[e]!) * heads + k]!;
            return sum > 0 ? sum : 0.2 * sum;
          });
          return Array.from(matricesOfEdges(edges, edgeSoftmaxReference(scores, row), [heads, 5, 5]));
        }).flat();
        return convolutionReference(
          { batch, terms: heads, source: 5, target: 5, inputDim: 2, outputDim: 3 },
          { x, basis, theta },
        );
      },
      random.normals([batch * 15]).data,
    );
  });

  test('attention by scores of the edges themselves', async () => {
    const random = new SeededRandom(9);
    const scores = random.normals([8, 2], 3);
    const basis = edgeAttentionBasis({
      ...graph,
      nodes: undefined,
      weight: undefined,
      inputSize: 5,
      outputSize: 5,
      scores: tensorOf<tf.Tensor2D>(scores),
    } as never);
    const dense = await (await agreesWithItsMatrices(form, basis)).data();
    const sums = new Array<number>(10).fill(0);
    dense.forEach((value, i) => {
      sums[Math.floor(i / 25) * 5 + (i % 5)]! += value;
    });
    sums.forEach((sum, i) => {
      expect(sum).toBeCloseTo(i % 5 === 4 ? 0 : 1, 5);
    });
  });

  test('refuse what is no graph', () => {
    expect(() => gcnBasis({ source: [0, 5], target: [1, 0], nodes: 5 })).toThrow(
      'gcnBasis: source[1] is 5, but must be an integer from 0 to nodes - 1 = 4',
    );
    expect(() => gcnBasis({ source: [0], target: [-1], nodes: 5 })).toThrow('gcnBasis: target[0] is -1');
    expect(() => gcnBasis({ source: [0, 1], target: [1], nodes: 5 })).toThrow(
      'gcnBasis: there are 2 edges in source but 1 in target',
    );
    expect(() => gcnBasis({ source: tf.tensor1d([0], 'int32') as never, target: [1], nodes: 5 })).toThrow(
      'source must be an array of integers; give it as await tensor.data()',
    );
    expect(() => gcnBasis({ source: [0.5], target: [1], nodes: 5 })).toThrow('source[0] is 0.5');
    expect(() => gcnBasis({ source: [0], target: [1], nodes: -1 })).toThrow('graph.nodes must be an integer, 0 or above, got -1');
    expect(() => gcnBasis({ source: [0], target: [1], nodes: 2, weight: [Number.NaN] })).toThrow('weight[0] is NaN');
    expect(() => relationalBasis([])).toThrow('relationalBasis: there must be at least one graph');
    expect(() => relationalBasis([graph, { source: [], target: [], nodes: 4 }])).toThrow('graph 0 has 5 and graph 1 has 4');
    expect(() => chebyshevBasis(graph, {} as never)).toThrow('chebyshevBasis: option terms is needed');
    expect(() => chebyshevBasis(graph, { terms: 0 })).toThrow('option terms must be an integer above 0, got 0');
    expect(() => edgeAttentionBasis({ ...graph, inputSize: 5, outputSize: 5 } as never)).toThrow("unknown option 'weight'");
    expect(() => edgeAttentionBasis({ source: [0], target: [0], inputSize: 5, outputSize: 5 })).toThrow(
      'give sourceScores and targetScores, or scores alone',
    );
  });
});
