import { assertClose, describeBackends, SeededRandom, savedArtifacts, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { attentionBasis } from '../attention/attention-basis';
import { multiHeadAttentionToMixedProduct } from '../conversions/attention-weights';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { gcnBasis } from '../graphs/gcn-basis';
import { GeneralizedConvolution, GraphConvolution, MultiHeadAttention } from './index';

const kernelInitializer = () => tfl.initializers.glorotNormal({ seed: 3 });
const ring = { source: [0, 1, 2, 3, 4, 5], target: [1, 2, 3, 4, 5, 0], nodes: 6 };
const common = () => ({ inputShape: [6, 4], units: 8, kernelInitializer: kernelInitializer() });

const layers: [string, () => tfl.layers.Layer][] = [
  [
    'GeneralizedConvolution over a line',
    () => new GeneralizedConvolution({ ...common(), basis: { kind: 'grid1d', length: 6, window: 3 } }),
  ],
  [
    'GeneralizedConvolution of low rank over an image',
    () =>
      new GeneralizedConvolution({
        ...common(),
        parameter: 'lowRank',
        rank: 4,
        basis: { kind: 'grid2d', height: 2, width: 3, window: [1, 3] },
      }),
  ],
  [
    'GeneralizedConvolution, separable, over edges',
    () =>
      new GeneralizedConvolution({
        ...common(),
        parameter: 'separable',
        basis: {
          kind: 'sparse',
          source: Int32Array.of(5, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5),
          target: [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5],
          term: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1],
          inputSize: 6,
          outputSize: 6,
        },
      }),
  ],
  [
    'GraphConvolution, the mean',
    () => new GraphConvolution({ ...common(), graph: ring, kind: 'mean', parameter: 'cp', rank: 6 }),
  ],
  ['GraphConvolution, Chebyshev', () => new GraphConvolution({ ...common(), graph: ring, kind: 'chebyshev', terms: 2 })],
  [
    'MultiHeadAttention',
    () => new MultiHeadAttention({ inputShape: [6, 4], heads: 2, headDim: 8, kernelInitializer: kernelInitializer() }),
  ],
];

/** The mean of a node's first feature and that of the node before it on the ring: nothing without mixing can tell it. */
function neighbours(samples: number) {
  const x = tensorOf<tf.Tensor3D>(new SeededRandom(5).normals([samples, 6, 4]));
  const first = tf.slice(x, [0, 0, 0], [-1, -1, 1]);
  const before = tf.concat([tf.slice(first, [0, 5, 0], [-1, 1, 1]), tf.slice(first, [0, 0, 0], [-1, 5, 1])], 1);
  return { x, y: tf.mul(tf.add(first, before), 0.5) };
}

/** The mean of a time's first feature over the sequence, which attention can tell. */
function means(samples: number) {
  const { x } = neighbours(samples);
  return { x, y: tf.tile(tf.mean(tf.slice(x, [0, 0, 0], [-1, -1, 1]), 1, true), [1, 6, 1]) };
}

describeBackends(
  'layers of mixed products',
  () => {
    test.each(layers)('%s learns, and loads to the same predictions', async (name, make) => {
      const { x, y } = (name === 'MultiHeadAttention' ? means : neighbours)(8);
      const dense = tfl.layers.dense({ units: 1, kernelInitializer: tfl.initializers.glorotNormal({ seed: 4 }) });
      const model = tfl.sequential({ layers: [make(), dense] });
      model.compile({ optimizer: tf.train.adam(0.03), loss: 'meanSquaredError' });
      const before = model.layers[0]!.getWeights().map((weight) => tf.clone(weight));
      const { history } = await model.fit(x, y, { epochs: 40, batchSize: 8, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]!);
      for (const [i, weight] of model.layers[0]!.getWeights().entries()) {
        const own = model.layers[0]!.weights[i]!.name;
        const [moved] = await tf.max(tf.abs(tf.sub(weight, before[i]!))).data();
        // A key bias is inert: its gradient is rounding.
        if (!own.includes('keyBias')) expect(moved, own).toBeGreaterThan(0);
      }
      const saved = await savedArtifacts(model);
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      const expected = await (model.predict(x) as tf.Tensor).data();
      expect(Array.from(await (loaded.predict(x) as tf.Tensor).data())).toEqual(Array.from(expected));
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig());
      model.optimizer.dispose();
      model.dispose();
      loaded.dispose();
    });

    test('MultiHeadAttention is what its weights say: a convolution over attention', async () => {
      const random = new SeededRandom(6);
      const [x, memory] = [tensorOf<tf.Tensor3D>(random.normals([2, 3, 4])), tensorOf<tf.Tensor3D>(random.normals([2, 5, 6]))];
      const layer = new MultiHeadAttention({ heads: 2, headDim: 3, outputDim: 5 });
      const output = layer.apply([x, memory]) as tf.Tensor;
      const own = Object.fromEntries(layer.weights.map((weight) => [weight.originalName.split('/').at(-1)!, weight.read()]));
      const names = {
        wq: 'queryKernel',
        wk: 'keyKernel',
        wv: 'valueKernel',
        wo: 'outputKernel',
        bq: 'queryBias',
        bk: 'keyBias',
        bv: 'valueBias',
        bo: 'outputBias',
      };
      const weights = Object.fromEntries(Object.entries(names).map(([name, from]) => [name, own[from]!]));
      const { scores, parameter, bias } = multiHeadAttentionToMixedProduct({ ...weights, heads: 2 } as never);
      const expected = generalizedConvolution(memory, attentionBasis({ keyInput: memory, queryInput: x, scores }), parameter, {
        bias,
      });
      await assertClose('output', output, { shape: [2, 3, 5], data: await expected.data() }, { relative: 5e-6 });
      layer.dispose();
    });

    test('MultiHeadAttention is causal, sees no masked source, shares key heads, and drops in training alone', async () => {
      const x = neighbours(2).x;
      const causal = new MultiHeadAttention({ heads: 4, keyHeads: 2, headDim: 2, causal: true, dropout: 0.5, seed: 7 });
      const first = causal.apply(x) as tf.Tensor;
      const changed = tf.concat([tf.slice(x, [0, 0, 0], [-1, 4, -1]), tf.zeros([2, 2, 4])], 1);
      const second = causal.apply(changed) as tf.Tensor;
      const head = (y: tf.Tensor) => tf.slice(y, [0, 0, 0], [-1, 4, -1]).data();
      expect(Array.from(await head(second))).toEqual(Array.from(await head(first)));
      const [once, twice] = [causal.apply(x, { training: true }), causal.apply(x, { training: true })] as tf.Tensor[];
      expect(Array.from(await once!.data())).not.toEqual(Array.from(await first.data()));
      expect(Array.from(await once!.data())).not.toEqual(Array.from(await twice!.data()));
      causal.dispose();
      const ids = tf.tensor2d([1, 2, 0, 0, 3, 1, 2, 0], [2, 4], 'int32');
      const embedding = tfl.layers.embedding({ inputDim: 4, outputDim: 4, maskZero: true, inputShape: [4] });
      const layer = new MultiHeadAttention({ heads: 2 });
      const model = tfl.sequential({ layers: [embedding, layer] });
      const output = await (model.predict(ids) as tf.Tensor).data();
      // Other padding, which is masked, changes nothing where something is seen.
      const table = embedding.getWeights()[0]!;
      embedding.setWeights([tf.concat([tf.fill([1, 4], 9), tf.slice(table, [1, 0], [3, 4])])]);
      const again = await (model.predict(ids) as tf.Tensor).data();
      for (const i of [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19]) expect(again[i]).toBeCloseTo(output[i]!, 5);
      model.dispose();
    });

    test('GraphConvolution is the convolution over its basis', async () => {
      const x = neighbours(2).x;
      const layer = new GraphConvolution({ units: 3, graph: ring });
      const output = layer.apply(x) as tf.Tensor;
      const [kernel, bias] = layer.getWeights() as [tf.Tensor3D, tf.Tensor1D];
      const expected = generalizedConvolution(x, gcnBasis(ring), kernel, { bias });
      await assertClose('output', output, { shape: [2, 6, 3], data: await expected.data() }, { relative: 1e-6 });
      layer.dispose();
    });

    test('refuse what they cannot take', () => {
      expect(() => new GeneralizedConvolution({ units: 2 } as never)).toThrow('GeneralizedConvolution: option basis is needed');
      expect(() => new GeneralizedConvolution({ basis: { kind: 'grid1d', length: 3, window: 2 } })).toThrow(
        'option units is needed',
      );
      const strange = new GeneralizedConvolution({ units: 2, basis: { kind: 'grid3d' } as never });
      expect(() => strange.apply(tf.ones([1, 3, 2]))).toThrow('option basis.kind must be one of grid1d, grid2d, sparse');
      expect(() => new GraphConvolution({ units: 2, graph: ring, parameter: 'lowRank' })).toThrow('option rank is needed');
      expect(() => new GraphConvolution({ units: 2, graph: ring }).apply(tf.ones([1, 5, 2]))).toThrow(
        'GraphConvolution: the input has 5 nodes but the basis 6',
      );
      expect(() => new MultiHeadAttention({} as never)).toThrow('MultiHeadAttention: option heads is needed');
      expect(() => new MultiHeadAttention({ heads: 4, keyHeads: 3 })).toThrow('keyHeads must divide heads, got 3 and 4');
      expect(() => new MultiHeadAttention({ heads: 3 }).apply(tf.ones([1, 5, 4]))).toThrow(
        'heads must divide the width of the queries, got 3 and 4',
      );
      expect(() => new MultiHeadAttention({ heads: 1, dropout: 1 })).toThrow('option dropout must be below 1');
      expect(() => new MultiHeadAttention({ heads: 1, head: 2 } as never)).toThrow("MultiHeadAttention: unknown option 'head'");
    });
  },
  { only: ['cpu', 'wasm'] },
);
