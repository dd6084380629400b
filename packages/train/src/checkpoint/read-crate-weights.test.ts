import { enableWasmKernels } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { beforeAll, expect, test } from 'vitest';
import { imageModel } from '../model/image-model';
import type { ImageModelConfig } from '../model/image-model-config';
import { countParams, flattenParams } from '../model/params';
import { createRandom } from '../random/random';
import { readCrateWeights } from './read-crate-weights';
import type { SafeTensor } from './safetensors-format';
import { type CrateSizes, crateLogits, crateShapes } from './test-crate';
import { writeSafetensors } from './write-safetensors';

// Nothing is square, so that no transposed axis goes unseen.
const sizes: CrateSizes = {
  imageSize: [4, 6],
  patchSize: [2, 3],
  channels: 3,
  classes: 5,
  dim: 8,
  layers: 2,
  heads: 3,
  headDim: 2,
  pooling: 'cls',
};
const configOf = (own: CrateSizes): ImageModelConfig => ({ mixer: 'crate', output: 'untied', ...own });

function stateDict(own: CrateSizes): Map<string, SafeTensor> {
  const random = createRandom(3);
  return new Map(
    crateShapes(own).map(([name, shape]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const data = Float32Array.from({ length }, () => 1.6 * random.uniform() - 0.7);
      return [name, { dtype: 'F32', shape, data }];
    }),
  );
}

/** Two images `[2, channels, height, width]`. */
function someImages({ channels, imageSize: [height, width] }: CrateSizes): number[][][][] {
  const random = createRandom(4);
  const line = () => Array.from({ length: width }, () => Math.fround(2 * random.uniform() - 1));
  const plane = () => Array.from({ length: height }, line);
  return [0, 1].map(() => Array.from({ length: channels }, plane));
}

describeBackends(
  'readCrateWeights',
  (backend) => {
    beforeAll(async () => {
      if (backend.name === 'wasm') await enableWasmKernels();
    });
    const cases: [string, CrateSizes][] = [
      ['class token', sizes],
      ['mean of all tokens', { ...sizes, pooling: 'mean' }],
      ['one head as wide as the stream, which has no output', { ...sizes, heads: 1, headDim: 8, layers: 1 }],
    ];

    test.each(cases)('gives the logits of the public model: %s', async (_, own) => {
      const tensors = stateDict(own);
      const images = someImages(own);
      const params = readCrateWeights(writeSafetensors(tensors), configOf(own));
      const input = tf.transpose(tf.tensor4d(images), [0, 2, 3, 1]);
      const logits = imageModel(configOf(own)).apply(params, { inputs: input }, { training: false });
      expect(logits.shape).toEqual([2, 5]);
      const expected = images.flatMap((image) => crateLogits(tensors, own, image));
      await assertClose('logits', logits, expected, { relative: backend.tolerance.gradient });
    });

    test('reads what DataParallel saved, leaves nothing else behind, and has the weights of a new model', async () => {
      const prefixed = new Map([...stateDict(sizes)].map(([name, value]) => [`module.${name}`, value]));
      const bytes = writeSafetensors(prefixed);
      const shapes = (params: Parameters<typeof flattenParams>[0]) =>
        flattenParams(params).map(([path, { shape }]) => [path, shape]);
      const model = imageModel(configOf(sizes));
      const params = readCrateWeights(bytes, configOf(sizes));
      expect(shapes(params)).toEqual(shapes(model.init(createRandom(1))));
      expect(countParams(params)).toBe(model.parameterCount);
      await expectNoLeak(() => readCrateWeights(bytes, configOf(sizes)) as tf.TensorContainer);
    });
  },
  { only: ['cpu', 'wasm'] },
);

test('missing, unknown and misshapen tensors are all listed at once', () => {
  const tensors = stateDict(sizes);
  tensors.delete('cls_token');
  tensors.delete('transformer.layers.1.1.fn.weight');
  tensors.set('transformer.layers.2.0.norm.weight', { dtype: 'F32', shape: [8], data: new Float32Array(8) });
  tensors.set('pos_embedding', { dtype: 'F32', shape: [1, 3, 8], data: new Float32Array(24) });
  tensors.set('mlp_head.1.bias', { dtype: 'I32', shape: [5], data: new Int32Array(5) });
  expect(() => readCrateWeights(writeSafetensors(tensors), configOf(sizes))).toThrow(
    'readCrateWeights: the state dict does not fit; missing: cls_token, transformer.layers.1.1.fn.weight; not of this model: "transformer.layers.2.0.norm.weight"; of another shape: pos_embedding [1, 3, 8], not [1, 5, 8], mlp_head.1.bias of I32, not floating point',
  );
});

test('refuses configurations that are no public CRATE, and files that are damaged', () => {
  const bytes = writeSafetensors(stateDict(sizes));
  for (const changed of [{ mixer: 'mssa' }, { output: 'tied' }, { stepSize: 0.5 }, { learnStepSize: true }] as const) {
    expect(() => readCrateWeights(bytes, { ...configOf(sizes), ...changed })).toThrow(
      "readCrateWeights: the public CRATE is an image model of mixer 'crate' with output 'untied'",
    );
  }
  expect(() => readCrateWeights(bytes.subarray(0, 100), configOf(sizes))).toThrow('truncated');
});
