import { enableWasmKernels, softmaxCrossEntropy } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { beforeAll, expect, test } from 'vitest';
import { createRandom } from '../random/random';
import { lossAndGradients } from '../training/loss-and-gradients';
import { imageModel } from './image-model';
import type { ImageModelConfig } from './image-model-config';
import { languageModel } from './language-model';
import { imageModelSizes, languageModelSizes } from './model-sizes';
import { countParams, type Params } from './params';
import { expectSlope } from './test-model';

const sizes = { imageSize: [4, 6], patchSize: [2, 3], channels: 2, classes: 5, dim: 8, layers: 1, heads: 2 } as const;
const configs: ImageModelConfig[] = [
  { mixer: 'crate', output: 'untied' },
  { mixer: 'mssa', pooling: 'mean', stepSize: 0.5, learnStepSize: true },
  { mixer: 'mhsa' },
  { mixer: 'mhsa', feedForward: 'none' },
];
const named = configs.map((config) => [`${config.mixer} ${config.feedForward ?? ''}`.trim(), { ...sizes, ...config }] as const);

function someImages(batch = 2): tf.Tensor4D {
  const random = createRandom(5);
  const shape: [number, number, number, number] = [batch, 4, 6, 2];
  return tf.tensor4d(
    Float32Array.from({ length: batch * 48 }, () => 2 * random.uniform() - 1),
    shape,
  );
}

describeBackends(
  'imageModel',
  () => {
    beforeAll(async () => {
      await enableWasmKernels();
    });

    test.each(named)('%s: gradients agree with differences of the loss, and leave nothing behind', async (_, config) => {
      const model = imageModel(config);
      const params = model.init(createRandom(1));
      expect(countParams(params)).toBe(model.parameterCount);
      const images = someImages();
      const lossOf = (weights: Params) =>
        softmaxCrossEntropy(
          model.apply(weights, { inputs: images }, { training: true }) as tf.Tensor2D,
          tf.tensor1d([1, 4], 'int32'),
        ) as tf.Scalar;
      const { gradients } = lossAndGradients(lossOf, params);
      await expectSlope(lossOf, params, gradients, createRandom(6));
      await expectNoLeak(() => model.apply(params, { inputs: images }, { training: false }));
    });

    test('a token sees all others, and a class is made of all patches', async () => {
      const model = imageModel({ ...sizes, mixer: 'mssa' });
      const params = model.init(createRandom(1));
      const images = await someImages(1).array();
      const before = await model.apply(params, { inputs: tf.tensor4d(images) }, { training: false }).data();
      for (const [y, x] of [
        [0, 0],
        [3, 5],
      ] as const) {
        const changed = structuredClone(images);
        changed[0]![y]![x]![1]! += 1;
        const after = await model.apply(params, { inputs: tf.tensor4d(changed) }, { training: false }).data();
        expect(after).not.toEqual(before);
      }
    });

    test('no image gives no logits', () => {
      const model = imageModel({ ...sizes, mixer: 'crate' });
      const logits = model.apply(model.init(createRandom(1)), { inputs: tf.zeros([0, 4, 6, 2]) }, { training: false });
      expect(logits.shape).toEqual([0, 5]);
    });
  },
  { only: ['wasm'] },
);

test('sizes that do not fit are refused', () => {
  const refused: [object, string][] = [
    [{ imageSize: 30, patchSize: 16 }, 'imageModel: option patchSize must divide imageSize, 30 x 30, got 16 x 16'],
    [{ imageSize: [32, 30] }, 'imageModel: option patchSize must divide imageSize, 32 x 30, got 16 x 16'],
    [{ patchSize: [4] }, 'imageModel: option patchSize must be an integer above 0, or two of them, [height, width], got [4]'],
    [{ heads: 5 }, 'imageModel: option heads must divide dim, 384, or headDim be given, got 5'],
    [{ mixer: 'mhsa', heads: 5 }, 'imageModel: option heads must divide dim, 384, got 5'],
    [{ mixer: 'mhsa', output: 'tied' }, "imageModel: the mixer 'mhsa' has no option output"],
    [{ mixer: 'aft-simple' }, "imageModel: option mixer must be one of 'crate', 'mssa', 'mhsa', got 'aft-simple'"],
    [{ size: 3 }, "imageModel: unknown option 'size'"],
  ];
  for (const [given, message] of refused) expect(() => imageModel(given as never)).toThrow(message);
});

// Of the totals that are published, to a unit of their last digit; see `model-sizes.ts` for what is inferred.
test.each([
  ['crate-t', 6.09],
  ['crate-s', 13.12],
  ['crate-b', 22.8],
  ['crate-l', 77.64],
] as const)('%s has the published number of weights, %d million', (name, millions) => {
  expect(Math.round(imageModel(imageModelSizes[name]).parameterCount / 1e4) / 100).toBe(millions);
});

test('attention-only models have the published numbers of weights', () => {
  const millions = (count: number) => Math.round(count / 1e6);
  const ofImages = (name: keyof typeof imageModelSizes) => millions(imageModel(imageModelSizes[name]).parameterCount);
  expect([ofImages('aot-mssa-v'), ofImages('aot-mhsa-v')]).toEqual([22, 15]);
  const ofText = (name: keyof typeof languageModelSizes, hasPositions: boolean) => {
    const { parameterCount, config } = languageModel(languageModelSizes[name]);
    return millions(parameterCount - (hasPositions ? 0 : config.maxLength! * config.dim));
  };
  expect([ofText('aot-mssa-base', false), ofText('aot-mssa-medium', false)]).toEqual([102, 182]);
  expect([ofText('aot-mhsa-base', false), ofText('aot-mhsa-base', true)]).toEqual([121, 122]);
});
