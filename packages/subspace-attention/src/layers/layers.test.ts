import { layerNorm } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, SeededRandom, savedArtifacts, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { ista } from '../ista/ista';
import { orthonormalityDefect } from '../measure/index';
import { mssa } from '../mssa/mssa';
import { disposeState } from '../mssa/state';
import { AttentionOnlyBlock, CrateBlock, Ista, SubspaceAttention } from './index';

const seeded = { kind: 'orthonormal', seed: 3 } as const;
const sequence = { inputShape: [6, 8], heads: 2, subspaceInitializer: seeded };
const glorot = (seed: number) => tfl.initializers.glorotNormal({ seed });
const layers: [string, () => tfl.layers.Layer][] = [
  ['SubspaceAttention, tied', () => new SubspaceAttention({ ...sequence, causal: true })],
  [
    'SubspaceAttention, untied, with all options',
    () =>
      new SubspaceAttention({
        ...sequence,
        headDim: 3,
        output: 'untied',
        outputBias: true,
        causal: true,
        scale: 0.7,
        maskSelf: true,
        qkNorm: true,
        outputInitializer: { kind: 'normal', stddev: 0.3, seed: 4 },
      }),
  ],
  ['AttentionOnlyBlock', () => new AttentionOnlyBlock({ ...sequence, causal: true })],
  [
    'AttentionOnlyBlock, sandwich, learned step, ReLU',
    () =>
      new AttentionOnlyBlock({
        ...sequence,
        causal: true,
        norm: 'sandwich',
        learnStepSize: true,
        stepSize: 0.5,
        activation: 'relu',
        qkNorm: true,
        output: 'untied',
        outputInitializer: 'subspaces',
      }),
  ],
  [
    'AttentionOnlyBlock of ReLU weights, from an initializer of tfjs',
    () => new AttentionOnlyBlock({ ...sequence, causal: true, phi: 'relu', norm: 'none', subspaceInitializer: glorot(3) }),
  ],
  [
    'AttentionOnlyBlock, straight through a threshold',
    () => new AttentionOnlyBlock({ ...sequence, phi: { threshold: 0.2, straightThrough: true }, scale: 0.5 }),
  ],
  [
    'CrateBlock',
    () =>
      new CrateBlock({
        ...sequence,
        causal: true,
        output: 'untied',
        outputBias: true,
        outputInitializer: { kind: 'kaimingUniform', seed: 5 },
        dictionaryInitializer: tfl.initializers.heUniform({ seed: 6 }),
      }),
  ],
];

/** The mean of the first feature up to the target, or of all: no layer without mixing can tell it. */
function means(samples: number, causal: boolean) {
  const x = tensorOf<tf.Tensor3D>(new SeededRandom(5).normals([samples, 6, 8]));
  const first = tf.slice(x, [0, 0, 0], [-1, -1, 1]);
  const sums = tf.transpose(tf.cumsum(tf.transpose(first, [0, 2, 1]), 2), [0, 2, 1]);
  const soFar = tf.div(sums, tf.reshape(tf.range(1, 7), [1, 6, 1]));
  return { x, y: causal ? soFar : tf.tile(tf.mean(first, 1, true), [1, 6, 1]) };
}

const ones = (...shape: [number, number, number]) => tf.ones(shape) as tf.Tensor3D;

describeBackends(
  'layers of subspace attention',
  () => {
    test.each(layers)('%s learns, and loads to the same predictions, there and on cpu', async (name, make) => {
      const { x, y } = means(8, !name.includes('threshold'));
      const dense = tfl.layers.dense({ units: 1, kernelInitializer: glorot(4) });
      const model = tfl.sequential({ layers: [make(), dense] });
      model.compile({ optimizer: tf.train.adam(0.03), loss: 'meanSquaredError' });
      const before = model.layers[0]!.getWeights().map((weight) => tf.clone(weight));
      const { history } = await model.fit(x, y, { epochs: 50, batchSize: 8, shuffle: false, verbose: 0 });
      const losses = history.loss as number[];
      expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
      for (const [i, weight] of model.layers[0]!.getWeights().entries()) {
        const [moved] = await tf.max(tf.abs(tf.sub(weight, before[i]!))).data();
        expect(moved, model.layers[0]!.weights[i]!.name).toBeGreaterThan(0);
      }

      const saved = await savedArtifacts(model);
      const loaded = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      const expected = await (model.predict(x) as tf.Tensor).data();
      expect(Array.from(await (loaded.predict(x) as tf.Tensor).data())).toEqual(Array.from(expected));
      expect(loaded.layers[0]!.getConfig()).toEqual(model.layers[0]!.getConfig());

      const backend = tf.getBackend();
      await tf.setBackend('cpu');
      const loadedOnCpu = await tfl.loadLayersModel(tf.io.fromMemory(saved));
      const onCpu = loadedOnCpu.predict(means(8, true).x) as tf.Tensor;
      await assertClose('prediction', onCpu, { shape: onCpu.shape, data: expected }, { relative: 5e-6 });
      loadedOnCpu.dispose();
      await tf.setBackend(backend);
      model.dispose();
      loaded.dispose();
      model.optimizer.dispose();
    });

    test('are what they say: equations in the operators', async () => {
      const random = new SeededRandom(6);
      const x = tensorOf<tf.Tensor3D>(random.normals([2, 5, 6]));
      const weightsOf = (layer: tfl.layers.Layer) =>
        Object.fromEntries(layer.weights.map((weight) => [weight.originalName.split('/').at(-1)!, weight.read()])) as Record<
          string,
          never
        >;
      const agrees = async (layer: tfl.layers.Layer, expected: (weights: Record<string, never>) => tf.Tensor) => {
        const actual = layer.apply(x) as tf.Tensor;
        // Learned numbers that start at 0 or 1 would hide a mistake.
        layer.setWeights(layer.getWeights().map((weight) => tensorOf(random.normals(weight.shape, 0.7))));
        const changed = layer.apply(x) as tf.Tensor;
        expect(actual.shape).toEqual([2, 5, 6]);
        const wanted = expected(weightsOf(layer));
        await assertClose(layer.name, changed, { shape: [2, 5, 6], data: await wanted.data() }, { relative: 2e-6 });
        layer.dispose();
      };
      const options = { heads: 3, maskSelf: true, causal: true, qkNorm: true, output: 'untied', outputBias: true } as const;
      const attention = (tokens: tf.Tensor, { subspaces, output, outputBias, queryKeyGain }: Record<string, never>) =>
        tf.add(mssa(tokens as tf.Tensor3D, subspaces!, { maskSelf: true, causal: true, output, queryKeyGain }), outputBias!);
      await agrees(new SubspaceAttention(options), (w) => attention(x, w));
      await agrees(new AttentionOnlyBlock({ ...options, stepSize: 0.3 }), (w) =>
        tf.add(x, tf.mul(0.3, attention(layerNorm(x, w.normGain!, w.normBias!), w))),
      );
      await agrees(new AttentionOnlyBlock({ ...options, norm: 'sandwich', learnStepSize: true, activation: 'relu' }), (w) => {
        const mixed = layerNorm(attention(layerNorm(x, w.normGain!, w.normBias!), w), w.outputNormGain!, w.outputNormBias!);
        return tf.relu(tf.add(x, tf.mul(mixed, w.stepSize!)));
      });
      await agrees(new AttentionOnlyBlock({ heads: 2, norm: 'none', phi: { threshold: 0.6 } }), (w) =>
        tf.add(x, mssa(x, w.subspaces!, { phi: { threshold: 0.6 } })),
      );
      const codes = { stepSize: 0.2, threshold: 0.3 };
      await agrees(new CrateBlock({ ...options, istaStepSize: 0.2, threshold: 0.3 }), (w) => {
        const denoised = tf.add(x, attention(layerNorm(x, w.normGain!, w.normBias!), w));
        return ista(layerNorm(denoised, w.istaNormGain!, w.istaNormBias!) as tf.Tensor3D, w.dictionary!, codes);
      });
      await agrees(new Ista(codes), (w) => ista(x, w.dictionary!, codes));
    });

    test('stream: any split gives the numbers of the whole call', async () => {
      const x = tensorOf<tf.Tensor3D>(new SeededRandom(7).normals([2, 7, 6]));
      const part = (from: number, to: number) => tf.slice(x, [0, from, 0], [-1, to - from, -1]);
      for (const layer of [
        new SubspaceAttention({ heads: 2, causal: true, maskSelf: true }),
        new AttentionOnlyBlock({ heads: 3, causal: true, norm: 'sandwich', learnStepSize: true, activation: 'relu' }),
        new CrateBlock({ heads: 2, headDim: 4, causal: true, output: 'untied', outputBias: true, phi: 'relu' }),
      ]) {
        const whole = layer.apply(x) as tf.Tensor;
        const begun = layer.initialState(2);
        const first = layer.prefill(part(0, 3), begun);
        const second = layer.step(tf.squeeze(part(3, 4), [1]), first.state);
        const rest = layer.prefill(part(4, 7), second.state);
        expect(rest.state.position).toBe(7);
        const output = tf.concat([first.output, tf.expandDims(second.output, 1), rest.output], 1);
        await assertClose(layer.name, output, { shape: [2, 7, 6], data: await whole.data() }, { relative: 2e-6 });
        const before = tf.memory().numTensors;
        const again = layer.step(tf.squeeze(part(3, 4), [1]), first.state);
        tf.dispose(again.output);
        disposeState(again.state);
        // The slice and what it was squeezed to.
        expect(tf.memory().numTensors).toBe(before + 2);
        layer.dispose();
      }
      const token = tf.ones([2, 6]) as tf.Tensor2D;
      const state = new SubspaceAttention({ heads: 2, headDim: 3, causal: true }).initialState(2);
      expect(() => new SubspaceAttention({ heads: 2 }).step(token, state)).toThrow(
        'SubspaceAttention: only a causal layer streams; set causal',
      );
      expect(() => new SubspaceAttention({ heads: 2, causal: true, qkNorm: true }).initialState(1)).toThrow(
        'a layer with qkNorm does not stream',
      );
      expect(() => new CrateBlock({ heads: 2, causal: true }).initialState(1)).toThrow(
        'CrateBlock: its width is not known before its first call',
      );
    });

    test('a mask from an earlier layer hides its sources, and is passed on', async () => {
      const ids = tf.tensor2d([1, 2, 0, 0, 3, 1, 2, 0], [2, 4], 'int32');
      const embedding = tfl.layers.embedding({ inputDim: 4, outputDim: 6, maskZero: true, inputShape: [4] });
      const block = new AttentionOnlyBlock({ heads: 2, norm: 'none' });
      const last = new SubspaceAttention({ heads: 2 });
      const model = tfl.sequential({ layers: [embedding, block, last] });
      const keyMask = tf.notEqual(ids, 0);
      const x = tf.gather(embedding.getWeights()[0]!, ids) as tf.Tensor3D;
      const [first, second] = [block, last].map((layer) => layer.getWeights()[0] as tf.Tensor3D);
      const middle = tf.add(x, mssa(x, first!, { keyMask })) as tf.Tensor3D;
      const expected = mssa(middle, second!, { keyMask });
      const output = model.predict(ids) as tf.Tensor;
      await assertClose('output', output, { shape: output.shape, data: await expected.data() }, { relative: 2e-6 });
      model.dispose();
    });

    test('start as asked: orthonormal, uniform, tied, or by an initializer of tfjs', async () => {
      const orthonormal = new SubspaceAttention({
        heads: 3,
        headDim: 4,
        subspaceInitializer: 'orthonormal',
        output: 'untied',
        outputInitializer: 'subspaces',
      });
      orthonormal.apply(ones(1, 2, 7));
      const [subspaces, output] = orthonormal.getWeights() as [tf.Tensor3D, tf.Tensor3D];
      for (const defect of await orthonormalityDefect(subspaces)) expect(defect).toBeLessThan(1e-6);
      expect(await tf.transpose(output, [0, 2, 1]).data()).toEqual(await subspaces.data());
      const uniform = new SubspaceAttention({ heads: 4, output: 'untied' });
      uniform.apply(ones(1, 2, 100));
      for (const weight of uniform.getWeights()) {
        const [largest] = await tf.max(tf.abs(weight)).data();
        expect(largest).toBeGreaterThan(0.099);
        expect(largest).toBeLessThanOrEqual(0.1);
      }
      const named = new SubspaceAttention({ heads: 2, subspaceInitializer: 'identity' });
      named.apply(ones(1, 2, 4));
      expect(Array.from(await named.getWeights()[0]!.data())).toEqual([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1]);
      for (const layer of [orthonormal, uniform, named]) layer.dispose();
    });

    test('refuse what they cannot take', () => {
      const make = (args: object) => () => new AttentionOnlyBlock(args as never);
      expect(make({})).toThrow('AttentionOnlyBlock: option heads is needed');
      expect(() => new SubspaceAttention(undefined as never)).toThrow('SubspaceAttention: option heads is needed');
      expect(make({ heads: 2, eta: 1 })).toThrow(
        "AttentionOnlyBlock: unknown option 'eta'; the options are heads, headDim, output,",
      );
      expect(make({ heads: 2, norm: 'post' })).toThrow("option norm must be one of 'pre', 'none', 'sandwich', got 'post'");
      expect(make({ heads: 2, phi: { threshold: 2 } })).toThrow('AttentionOnlyBlock: option phi.threshold must be below 1');
      expect(make({ heads: 2, outputInitializer: 'zeros' })).toThrow(
        "option outputInitializer is of an untied output; set output 'untied'",
      );
      expect(make({ heads: 2, subspaceInitializer: { kind: 'orthogonal' } })).toThrow(
        "AttentionOnlyBlock subspaceInitializer: option kind must be one of 'orthonormal', 'kaimingUniform', 'normal', got 'orthogonal'",
      );
      expect(() => new AttentionOnlyBlock({ heads: 3 }).apply(ones(1, 2, 4))).toThrow(
        'AttentionOnlyBlock: heads must divide the width of the input, got 3 and 4; or give headDim',
      );
      const wide = new SubspaceAttention({ heads: 1, headDim: 5, subspaceInitializer: 'orthonormal' });
      expect(() => wide.apply(ones(1, 2, 4))).toThrow('SubspaceAttention: 5 orthonormal columns do not exist in 4 dimensions');
      expect(() => new Ista().apply(tf.ones([2, 3]))).toThrow('Ista: input must have 3 axes [batch tokens dim], got [2, 3]');
      expect(() => new Ista({ step: 1 } as never)).toThrow("Ista: unknown option 'step'");
      expect(() => new CrateBlock({ heads: 1, activation: 'relu' } as never)).toThrow("CrateBlock: unknown option 'activation'");
    });
  },
  { only: ['cpu', 'wasm'] },
);
