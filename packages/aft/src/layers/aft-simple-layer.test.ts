import { assertClose, describeBackends, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { aftSimple } from '../aft-simple/aft-simple';
import { AftSimple } from './index';

/** A sequence task that no layer without mixing over time can solve: the mean of the first feature up to the target. */
function task(samples: number): { x: tf.Tensor3D; y: tf.Tensor3D } {
  const random = new SeededRandom(5).normals([samples, 6, 4]);
  const x = tf.tensor3d(Float32Array.from(random.data), [samples, 6, 4]);
  const y = tf.tidy(() => {
    const steps = tf.reshape(tf.range(1, 7), [1, 6, 1]);
    const first = tf.transpose(tf.slice(x, [0, 0, 0], [-1, -1, 1]), [0, 2, 1]);
    return tf.div(tf.transpose(tf.cumsum(first, 2), [0, 2, 1]), steps);
  });
  return { x, y: y as tf.Tensor3D };
}

function sequential(): tfl.Sequential {
  return tfl.sequential({
    layers: [
      new AftSimple({ inputShape: [6, 4], dim: 8, causal: true, kernelInitializer: tfl.initializers.glorotNormal({ seed: 3 }) }),
      tfl.layers.dense({ units: 1, kernelInitializer: tfl.initializers.glorotNormal({ seed: 4 }) }),
    ],
  });
}

describeBackends(
  'AftSimple layer',
  () => {
    test('learns, and loads to the same predictions, there and on cpu', async () => {
      const { x, y } = task(64);
      const model = sequential();
      model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
      const { history } = await model.fit(x, y, { epochs: 40, batchSize: 64, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      expect(losses.at(-1)).toBeLessThan(0.25 * losses[0]!);

      let saved: tf.io.ModelArtifacts | undefined;
      await model.save(
        tf.io.withSaveHandler(async (artifacts) => {
          saved = artifacts;
          return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
        }),
      );
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved!));
      const predicted = model.predict(x) as tf.Tensor;
      const expected = await predicted.data();
      expect(Array.from(await (loaded.predict(x) as tf.Tensor).data())).toEqual(Array.from(expected));
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig());

      const backend = tf.getBackend();
      await tf.setBackend('cpu');
      const loadedOnCpu = await tfl.loadLayersModel(tf.io.fromMemory(saved!));
      const onCpu = loadedOnCpu.predict(task(64).x) as tf.Tensor;
      await assertClose('prediction', onCpu, { shape: onCpu.shape, data: expected }, { relative: 2e-6 });
      loadedOnCpu.dispose();
      await tf.setBackend(backend);
      model.dispose();
      loaded.dispose();
      model.optimizer.dispose();
    });

    test('a mask from an earlier layer hides its sources', async () => {
      const ids = tf.tensor2d(
        [
          [1, 2, 0, 0],
          [3, 1, 2, 0],
        ],
        [2, 4],
        'int32',
      );
      const embedding = tfl.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputShape: [4] });
      const layer = new AftSimple({ outputProjection: false, useBias: false, kernelInitializer: 'identity' });
      const model = tfl.sequential({ layers: [embedding, layer] });
      const table = embedding.getWeights()[0]!;
      const x = tf.gather(table, ids) as tf.Tensor3D;
      const keyMask = tf.cast(tf.notEqual(ids, 0), 'float32');
      const expected = aftSimple(x, x, x, { keyMask });
      const output = model.predict(ids) as tf.Tensor;
      await assertClose('output', output, { shape: output.shape, data: await expected.data() }, { relative: 1e-6 });
      model.dispose();
    });

    test('refuses what it cannot take', () => {
      expect(() => new AftSimple({ heads: 2 } as never)).toThrow("AftSimple: unknown option 'heads'");
      expect(() => new AftSimple({ dim: 0 })).toThrow('AftSimple: option dim must be an integer above 0, got 0');
      const layer = new AftSimple();
      expect(() => layer.apply(tf.ones([2, 3]))).toThrow('AftSimple: input must have 3 axes [batch time dim], got [2, 3]');
    });
  },
  { only: ['cpu', 'wasm'] },
);
