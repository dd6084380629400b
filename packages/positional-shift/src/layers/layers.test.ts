import { assertClose, describeBackends, SeededRandom, savedArtifacts, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { shift } from '../shift/shift';
import { shiftConvolution } from '../shift-convolution/shift-convolution';
import { type Combination, ShiftAttention, ShiftConvolution } from './index';

// Orientation: offset = target - source; the task is to copy what stood `offset` before.

const kernelInitializer = () => tfl.initializers.glorotNormal({ seed: 3 });
const combinations: Combination[] = ['heads', 'gated', 'logBias', 'valueShift'];
const attention = (combine: Combination, causal = true) =>
  new ShiftAttention({
    inputShape: [null, 4],
    heads: 2,
    offsets: [1, 3],
    combine,
    causal,
    kernelInitializer: kernelInitializer(),
  });

const layers: [name: string, make: () => tfl.layers.Layer][] = [
  [
    'ShiftConvolution',
    () => new ShiftConvolution({ inputShape: [null, 4], offsets: [0, 2], channels: 3, kernelInitializer: kernelInitializer() }),
  ],
  [
    'ShiftConvolution, depthwise',
    () => new ShiftConvolution({ inputShape: [null, 4], offsets: [1, -1], depthwise: true, boundary: 'circular' }),
  ],
  ...combinations.map((combine): [string, () => tfl.layers.Layer] => [`ShiftAttention, ${combine}`, () => attention(combine)]),
];

const draw = (seed: number, shape: number[]): tf.Tensor => tensorOf(new SeededRandom(seed).normals(shape));

describeBackends(
  'the layers',
  () => {
    test.each(layers)('%s trains, and is the same once saved and loaded', async (_, make) => {
      const model = tfl.sequential({ layers: [make(), tfl.layers.dense({ units: 1, kernelInitializer: kernelInitializer() })] });
      model.compile({ optimizer: tf.train.adam(0.03), loss: 'meanSquaredError' });
      const x = draw(1, [16, 6, 4]);
      const y = shift(tf.slice(x, [0, 0, 0], [-1, -1, 1]), 1);
      const weights = model.layers[0]!.getWeights().map((weight) => tf.clone(weight));
      const { history } = await model.fit(x, y, { epochs: 12, batchSize: 16, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      expect(losses.at(-1)).toBeLessThan(losses[0]! * 0.97);
      for (const [i, weight] of model.layers[0]!.getWeights().entries()) {
        // Scores take no notice of a bias of the keys.
        if (model.layers[0]!.weights[i]!.name.includes('keyBias')) continue;
        const moved = await tf.max(tf.abs(tf.sub(weight, weights[i]!))).data();
        expect(moved[0], model.layers[0]!.weights[i]!.name).toBeGreaterThan(0);
      }
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(await savedArtifacts(model)));
      const [before, after] = [model, loaded].map((own) => own.predict(x) as tf.Tensor);
      expect(await after!.data()).toEqual(await before!.data());
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig());
      for (const time of [1, 3, 9]) expect((model.predict(tf.ones([2, time, 4])) as tf.Tensor).shape).toEqual([2, time, 1]);
      loaded.dispose();
      model.dispose();
      model.optimizer.dispose();
    });

    test('ShiftConvolution is shiftConvolution and a bias; what is masked is read as 0', async () => {
      const layer = new ShiftConvolution({ offsets: [1, 0], channels: 3 });
      const x = draw(2, [2, 5, 4]) as tf.Tensor3D;
      const output = layer.apply(x) as tf.Tensor;
      const [theta, bias] = layer.getWeights() as [tf.Tensor3D, tf.Tensor];
      layer.setWeights([theta, tf.tensor1d([1, 2, 3])]);
      const expected = tf.add(shiftConvolution(x, theta, { offsets: [1, 0] }), tf.tensor1d([1, 2, 3]));
      await assertClose('output', layer.apply(x) as tf.Tensor, await expected.data(), { relative: 1e-6 });
      expect([output.shape, bias.shape]).toEqual([[2, 5, 3], [3]]);
      const mask = tf.tensor2d([
        [1, 1, 0, 1, 1],
        [0, 1, 1, 1, 1],
      ]);
      const masked = layer.apply(x, { mask } as never) as tf.Tensor;
      const zeroed = layer.apply(tf.mul(x, tf.expandDims(mask, 2))) as tf.Tensor;
      expect(await masked.data()).toEqual(await zeroed.data());
      layer.dispose();
    });

    test.each([...combinations, 'shifts alone' as const])(
      'ShiftAttention streams: any split gives the whole, %s',
      async (combine) => {
        const alone = combine === 'shifts alone';
        const args = { offsets: [0, 2], causal: true, kernelInitializer: kernelInitializer() };
        const layer = new ShiftAttention(alone ? { ...args, heads: 0 } : { ...args, heads: 2, combine });
        const x = draw(3, [2, 9, 4]) as tf.Tensor3D;
        layer.apply(x);
        // Gates and weights that start as zeros would say little.
        layer.setWeights(layer.getWeights().map((w, i) => draw(10 + i, w.shape)));
        const whole = layer.apply(x) as tf.Tensor;
        for (const sizes of [[9], [1, 3, 5], [1, 1, 1, 1, 1, 1, 1, 1, 1]]) {
          let state = layer.initialState();
          let at = 0;
          const parts = sizes.map((size) => {
            const part = tf.slice(x, [0, at, 0], [-1, size, -1]) as tf.Tensor3D;
            at += size;
            if (size > 1) {
              const next = layer.prefill(part, state);
              state = next.state;
              return next.output;
            }
            const next = layer.step(tf.squeeze(part, [1]) as tf.Tensor2D, state);
            state = next.state;
            return tf.expandDims(next.output, 1);
          });
          expect(state.position).toBe(9);
          if (alone) expect(state.values!.shape[1]).toBe(2);
          await assertClose(
            String(sizes),
            tf.concat(parts, 1),
            { shape: [2, 9, 4], data: await whole.data() },
            { relative: 2e-6 },
          );
        }
        layer.dispose();
      },
    );

    test.each(combinations)('a causal layer sees nothing later, %s', async (combine) => {
      const layer = attention(combine);
      const x = draw(4, [1, 7, 4]);
      const early = tf.mul(x, tf.reshape(tf.tensor1d([1, 1, 1, 1, 0, 0, 0]), [1, 7, 1]));
      const [a, b] = [layer.apply(x), layer.apply(early)].map((y) => tf.slice(y as tf.Tensor, [0, 0, 0], [1, 4, 4]));
      expect(await a!.data()).toEqual(await b!.data());
      layer.dispose();
    });

    test('one shift head copies what stood d before, exactly; content alone cannot, for it knows no places', async () => {
      const x = draw(5, [1, 8, 4]);
      const copying = new ShiftAttention({ heads: 0, offsets: [3], headDim: 4, useBias: false });
      copying.apply(x);
      copying.setWeights([tf.eye(4), tf.eye(4)]);
      expect(await (copying.apply(x) as tf.Tensor).data()).toEqual(await shift(x, 3).data());

      // A bias of zeros at the offsets is no bias: attention by content, in both directions, without positions.
      const content = attention('logBias', false);
      const order = tf.tensor1d([5, 2, 7, 0, 1, 6, 4, 3], 'int32');
      const permuted = content.apply(tf.gather(x, order, 1)) as tf.Tensor;
      const expected = tf.gather(content.apply(x) as tf.Tensor, order, 1);
      await assertClose('permuted', permuted, await expected.data(), { relative: 2e-6 });
      // So two orders of the same tokens give one token the same output, whatever stands before it; the copy differs.
      const before = shift(tf.gather(x, order, 1), 3);
      const moved = tf.gather(shift(x, 3), order, 1);
      expect(Math.max(...(await tf.abs(tf.sub(before, moved)).data()))).toBeGreaterThan(0.5);
      tf.dispose([copying, content].flatMap((layer) => layer.getWeights()));
    });

    test('on a circle, a layer of shifts commutes with turning the circle', async () => {
      const layer = new ShiftAttention({
        heads: 0,
        offsets: [1, -2],
        boundary: 'circular',
        kernelInitializer: kernelInitializer(),
      });
      const x = draw(6, [2, 7, 4]);
      const turned = layer.apply(shift(x, 3, { boundary: 'circular' })) as tf.Tensor;
      const after = shift(layer.apply(x) as tf.Tensor, 3, { boundary: 'circular' });
      await assertClose('turned', turned, await after.data(), { relative: 1e-6 });
      layer.dispose();
    });

    test('a masked source is attended to by no head', async () => {
      for (const combine of combinations) {
        const layer = attention(combine, false);
        const x = draw(7, [1, 5, 4]);
        const mask = tf.tensor2d([[1, 1, 0, 1, 1]]);
        const other = tf.add(x, tf.reshape(tf.tensor1d([0, 0, 9, 0, 0]), [1, 5, 1]));
        const [a, b] = [x, other].map((given) => layer.apply(given, { mask } as never) as tf.Tensor);
        const rows = async (y: tf.Tensor) => Array.from(await y.data()).filter((_, i) => Math.floor(i / 4) !== 2);
        expect(await rows(a!)).toEqual(await rows(b!));
        layer.dispose();
      }
    });

    test('refuse what they cannot take', () => {
      expect(() => new ShiftConvolution({} as never)).toThrow(
        'ShiftConvolution: option offsets must be an array of at least one integer',
      );
      expect(() => new ShiftConvolution({ offsets: [1], window: 3 } as never)).toThrow(
        "ShiftConvolution: unknown option 'window'",
      );
      expect(() => new ShiftConvolution({ offsets: [1], depthwise: true, channels: 3 }).apply(tf.ones([1, 2, 4]))).toThrow(
        'depthwise keeps the width 4',
      );
      expect(() => new ShiftConvolution({ offsets: [1] }).apply(tf.ones([2, 4]))).toThrow(
        'input must have 3 axes [batch time dim], got [2, 4]',
      );
      expect(() => new ShiftAttention({ offsets: [-1], causal: true })).toThrow(
        'ShiftAttention: a causal layer looks at no later token',
      );
      expect(() => new ShiftAttention({ causal: true, boundary: 'circular' })).toThrow("boundary 'circular' reads later tokens");
      expect(() => new ShiftAttention({ heads: 0, combine: 'gated' })).toThrow("combine 'gated' needs content heads");
      expect(() => new ShiftAttention({ combine: 'sum' as never })).toThrow('ShiftAttention: option combine must be one of');
      expect(() => new ShiftAttention({ combine: 'logBias', offsets: [1, 1] })).toThrow('a bias stands once per offset');
      expect(() => new ShiftAttention({ heads: 3 }).apply(tf.ones([1, 2, 4]))).toThrow(
        'heads must divide the width, got 3 and 4',
      );
      expect(() => new ShiftAttention().initialState()).toThrow('only a causal layer streams');
    });
  },
  { only: ['cpu', 'wasm'] },
);
