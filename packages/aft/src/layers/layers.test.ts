import { assertClose, describeBackends, savedArtifacts } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { aftFull } from '../aft-full/aft-full';
import { aftLocal } from '../aft-local/aft-local';
import { aftSimple } from '../aft-simple/aft-simple';
import { AftConv1d, AftConv2d, AftFull, AftLocal, AftSimple } from './index';
import { meanOfGrid, meanSoFar, modelOf } from './test-tasks';

const kernelInitializer = () => tfl.initializers.glorotNormal({ seed: 3 });
const biasInitializer = () => tfl.initializers.randomNormal({ stddev: 0.1, seed: 5 });
const sequence = { inputShape: [6, 4], dim: 8 };
const layers: [string, () => tfl.layers.Layer][] = [
  ['AftSimple', () => new AftSimple({ ...sequence, causal: true, kernelInitializer: kernelInitializer() })],
  [
    'AftFull in factors',
    () =>
      new AftFull({
        ...sequence,
        causal: true,
        biasRank: 2,
        kernelInitializer: kernelInitializer(),
        biasInitializer: biasInitializer(),
      }),
  ],
  [
    'AftFull, dense',
    () =>
      new AftFull({
        ...sequence,
        causal: true,
        biasRank: null,
        maxLength: 9,
        kernelInitializer: kernelInitializer(),
        biasInitializer: biasInitializer(),
      }),
  ],
  [
    'AftLocal in factors',
    () =>
      new AftLocal({
        ...sequence,
        causal: true,
        windowSize: 3,
        biasRank: 2,
        kernelInitializer: kernelInitializer(),
        biasInitializer: biasInitializer(),
      }),
  ],
  [
    'AftLocal, banded',
    () =>
      new AftLocal({
        ...sequence,
        causal: true,
        windowSize: 3,
        biasRank: null,
        kernelInitializer: kernelInitializer(),
        biasInitializer: biasInitializer(),
      }),
  ],
  ['AftConv1d', () => new AftConv1d({ ...sequence, causal: true, heads: 4, window: 3, kernelInitializer: kernelInitializer() })],
  [
    'AftConv2d',
    () => new AftConv2d({ inputShape: [3, 4, 4], dim: 8, heads: 4, window: [2, 3], kernelInitializer: kernelInitializer() }),
  ],
];

describeBackends(
  'AFT layers',
  () => {
    test.each(layers)('%s learns, and loads to the same predictions, there and on cpu', async (name, make) => {
      const task = name === 'AftConv2d' ? meanOfGrid : meanSoFar;
      const { x, y } = task(6);
      const model = modelOf(make());
      model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
      const before = model.layers[0]!.getWeights().map((weight) => tf.clone(weight));
      const { history } = await model.fit(x, y, { epochs: 40, batchSize: 6, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      expect(losses.at(-1)).toBeLessThan(0.25 * losses[0]!);
      for (const [i, weight] of model.layers[0]!.getWeights().entries()) {
        const moved = await tf.max(tf.abs(tf.sub(weight, before[i]!))).data();
        expect(moved[0], model.layers[0]!.weights[i]!.name).toBeGreaterThan(0);
      }

      const saved = await savedArtifacts(model);
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      const predicted = model.predict(x) as tf.Tensor;
      const expected = await predicted.data();
      expect(Array.from(await (loaded.predict(x) as tf.Tensor).data())).toEqual(Array.from(expected));
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig());

      const backend = tf.getBackend();
      await tf.setBackend('cpu');
      const loadedOnCpu = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      const onCpu = loadedOnCpu.predict(task(6).x) as tf.Tensor;
      await assertClose('prediction', onCpu, { shape: onCpu.shape, data: expected }, { relative: 2e-6 });
      loadedOnCpu.dispose();
      await tf.setBackend(backend);
      model.dispose();
      loaded.dispose();
      model.optimizer.dispose();
    });

    test('a mask from an earlier layer hides its sources', async () => {
      const ids = tf.tensor2d([1, 2, 0, 0, 3, 1, 2, 0], [2, 4], 'int32');
      const embedding = tfl.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputShape: [4] });
      const bare = { outputProjection: false, useBias: false, kernelInitializer: 'identity' };
      const keyMask = tf.cast(tf.notEqual(ids, 0), 'float32');
      for (const layer of [
        new AftSimple(bare),
        new AftFull({ ...bare, biasRank: null, biasInitializer: 'zeros' }),
        new AftLocal({ ...bare, biasRank: null, windowSize: 2, biasInitializer: 'zeros' }),
        new AftConv1d({ ...bare, window: 3 }),
      ]) {
        const model = tfl.sequential({ layers: [embedding, layer] });
        const x = tf.gather(embedding.getWeights()[0]!, ids) as tf.Tensor3D;
        // With a bias of 0 every form is AFT-simple.
        const expected = aftSimple(x, x, x, { keyMask });
        const output = model.predict(ids) as tf.Tensor;
        await assertClose(layer.name, output, { shape: output.shape, data: await expected.data() }, { relative: 1e-6 });
        layer.dispose();
      }
      embedding.dispose();
    });

    test('the learned bias reaches the operator', async () => {
      const x = meanSoFar(2).x as tf.Tensor3D;
      const bare = { outputProjection: false, useBias: false, kernelInitializer: 'identity' };
      const full = new AftFull({ ...bare, biasRank: 2, maxLength: 8 });
      const mixed = full.apply(x) as tf.Tensor;
      const [u, v] = full.getWeights() as [tf.Tensor2D, tf.Tensor2D];
      expect(u.shape).toEqual([8, 2]);
      const expected = aftFull(x, x, x, { u, v });
      await assertClose('AftFull', mixed, { shape: mixed.shape, data: await expected.data() }, { relative: 1e-6 });
      const local = new AftLocal({ ...bare, biasRank: null, maxLength: 8, windowSize: 2 });
      const near = local.apply(x) as tf.Tensor;
      const band = local.getWeights()[0] as tf.Tensor2D;
      expect(band.shape).toEqual([8, 3]);
      const inside = aftLocal(x, x, x, { band }, { windowSize: 2 });
      await assertClose('AftLocal', near, { shape: near.shape, data: await inside.data() }, { relative: 1e-6 });
      full.dispose();
      local.dispose();
    });

    test('a convolutional model made at one size runs at others', async () => {
      const grid = modelOf(new AftConv2d({ inputShape: [null, null, 4], heads: 2, window: 3 }));
      expect((grid.predict(meanOfGrid(2).x) as tf.Tensor).shape).toEqual([2, 3, 4, 1]);
      expect((grid.predict(meanOfGrid(2, [5, 7]).x) as tf.Tensor).shape).toEqual([2, 5, 7, 1]);
      const line = modelOf(new AftConv1d({ inputShape: [null, 4], heads: 2, window: 4 }));
      for (const time of [1, 3, 9]) expect((line.predict(tf.ones([2, time, 4])) as tf.Tensor).shape).toEqual([2, time, 1]);
      grid.dispose();
      line.dispose();
    });

    test('refuse what they cannot take', () => {
      expect(() => new AftSimple({ heads: 2 } as never)).toThrow("AftSimple: unknown option 'heads'");
      expect(() => new AftSimple({ biasInitializer: 'zeros' } as never)).toThrow("AftSimple: unknown option 'biasInitializer'");
      expect(() => new AftSimple({ dim: 0 })).toThrow('AftSimple: option dim must be an integer above 0, got 0');
      expect(() => new AftSimple().apply(tf.ones([2, 3]))).toThrow(
        'AftSimple: input must have 3 axes [batch time dim], got [2, 3]',
      );
      expect(() => new AftConv2d().apply(tf.ones([2, 3, 4]))).toThrow(
        'AftConv2d: input must have 4 axes [batch height width dim], got [2, 3, 4]',
      );
      expect(() => new AftFull({ biasRank: 0 })).toThrow('AftFull: option biasRank must be an integer above 0, or null, got 0');
      expect(() => modelOf(new AftFull({ inputShape: [null, 4] }))).toThrow(
        'AftFull: maxLength is needed where the length of the input is not fixed',
      );
      expect(() => new AftLocal({} as never)).toThrow('AftLocal: option windowSize is needed');
      expect(() => new AftConv1d({ window: 2.5 })).toThrow('AftConv1d: option window must be an integer above 0, got 2.5');
      expect(() => modelOf(new AftConv1d({ inputShape: [3, 4], heads: 3 }))).toThrow(
        'AftConv1d: heads must divide dim, got 3 and 4',
      );
      expect(() => new AftConv2d({ window: [3] as never })).toThrow(
        'AftConv2d: option window must be an integer above 0, or two of them, got 3',
      );
      expect(() => new AftConv2d({ causal: true } as never)).toThrow(
        'AftConv2d: a grid has no order in which to be causal; leave the option out',
      );
    });
  },
  { only: ['cpu', 'wasm'] },
);
