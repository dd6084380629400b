import { enableWasmKernels } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { beforeAll, expect, test } from 'vitest';
import { createRandom } from '../random/random';
import { disposeLanguageState } from '../training/generate';
import { languageLoss } from '../training/language-loss';
import { lossAndGradients } from '../training/loss-and-gradients';
import { languageModel } from './language-model';
import { countParams, flattenParams, type Params } from './params';
import { expectSlope, streamedLogits } from './test-model';

const config = { mixer: 'aft-simple', dim: 12, layers: 2 } as const;
const [BATCH, TIME] = [3, 7];

function someTokens(time = TIME, seed = 9): tf.Tensor2D {
  const random = createRandom(seed);
  return tf.tensor2d(
    Int32Array.from({ length: BATCH * time }, () => random.below(256)),
    [BATCH, time],
    'int32',
  );
}

describeBackends('languageModel', (backend) => {
  beforeAll(async () => {
    if (backend.name === 'wasm') await enableWasmKernels();
  });
  const model = languageModel(config);

  test('gives logits of every byte at every place, and the weights that its sizes say', async () => {
    const params = model.init(createRandom(1));
    const logits = model.apply(params, { inputs: someTokens() }, { training: false });
    expect(logits.shape).toEqual([BATCH, TIME, 256]);
    const [d, hidden] = [config.dim, 4 * config.dim];
    expect(countParams(params)).toBe(2 * 256 * d + d + config.layers * (4 * d * d + 2 * d * hidden + 3 * d));
    const loss = (await languageLoss(model, params, { inputs: someTokens(), targets: someTokens(TIME, 2) }, false).data())[0]!;
    expect(Math.abs(loss - Math.log(256))).toBeLessThan(0.3);
  });

  test('a tied head uses the embedding', () => {
    const tied = languageModel({ ...config, tiedHead: true });
    const params = tied.init(createRandom(1));
    expect(flattenParams(params).map(([path]) => path)).not.toContain('head');
    expect(tied.apply(params, { inputs: someTokens() }, { training: false }).shape).toEqual([BATCH, TIME, 256]);
  });

  test('no place sees a later one', async () => {
    const params = model.init(createRandom(1));
    const tokens = await someTokens().array();
    for (const row of tokens) row[4] = (row[4]! + 1) % 256;
    const before = model.apply(params, { inputs: someTokens() }, { training: false });
    const after = model.apply(params, { inputs: tf.tensor2d(tokens, [BATCH, TIME], 'int32') }, { training: false });
    const early = async (logits: tf.Tensor) => tf.slice(logits, [0, 0, 0], [BATCH, 4, 256]).data();
    expect(await early(after)).toEqual(await early(before));
    expect(await after.data()).not.toEqual(await before.data());
  });

  test('prefill in any split, and step after step, give the logits of the whole sequence', async () => {
    const params = model.init(createRandom(1));
    const tokens = someTokens();
    const whole = model.apply(params, { inputs: tokens }, { training: false });
    const { logits, positions } = streamedLogits(model, params, tokens, [3, 5]);
    expect(positions).toEqual([TIME, TIME]);
    await assertClose('logits', logits, await whole.data(), { relative: backend.tolerance.gradient });
  });

  test('a stream stays exact far from its beginning', async () => {
    const params = model.init(createRandom(1));
    // Channels of slope 0 remember everything; the others have forgotten the beginning.
    for (const layer of [0, 1]) {
      const block = (params.blocks as Params)[layer] as Params;
      (block.mixer as Params).slope = tf.fill([config.dim], 1.5);
    }
    const tail = someTokens(30, 4);
    const far = model.prefill(params, tf.concat([someTokens(50), tail], 1) as tf.Tensor2D, model.initialState(BATCH));
    const before = model.prefill(params, someTokens(50), model.initialState(BATCH));
    const stream = model.prefill(params, tail, before.state);
    const end = (logits: tf.Tensor3D) => tf.slice(logits, [0, logits.shape[1] - 1, 0], [BATCH, 1, 256]);
    await assertClose('logits', end(stream.logits), await end(far.logits).data(), { relative: backend.tolerance.gradient });
  });

  test('gradients of all weights leave nothing behind', async () => {
    const params = model.init(createRandom(1));
    const batch = { inputs: someTokens(), targets: someTokens(TIME, 2) };
    await expectNoLeak(
      () => lossAndGradients((weights) => languageLoss(model, weights, batch, true), params) as unknown as tf.TensorContainer,
    );
    await expectNoLeak(() => {
      const state = model.initialState(BATCH);
      const next = model.prefill(params, batch.inputs, state);
      disposeLanguageState(state);
      disposeLanguageState(next.state);
      return next.logits;
    });
  });

  test('gradients agree with differences of the loss along a random direction', async () => {
    const params = model.init(createRandom(1));
    const batch = { inputs: someTokens(), targets: someTokens(TIME, 2) };
    const lossOf = (weights: Params) => languageLoss(model, weights, batch, true);
    const { gradients } = lossAndGradients(lossOf, params);
    const random = createRandom(6);
    for (let repeat = 0; repeat < 2; repeat++) await expectSlope(lossOf, params, gradients, random);
  });

  test('the same seed gives the same weights', async () => {
    const bits = async (seed: number) =>
      Promise.all(flattenParams(model.init(createRandom(seed))).map(([, tensor]) => tensor.data()));
    expect(await bits(3)).toEqual(await bits(3));
    expect(await bits(4)).not.toEqual(await bits(3));
  });
});

test('an option that is absent or undefined has its default', () => {
  const { config: chosen } = languageModel({ dim: 16, layers: undefined } as never);
  expect(chosen).toEqual({
    mixer: 'aft-simple',
    dim: 16,
    layers: 3,
    classes: 256,
    tiedHead: false,
    feedForward: 'mlp',
    expansion: 4,
  });
});

test('every mixer has its own options, with defaults', () => {
  const sizes = { dim: 128, layers: 3, classes: 256, tiedHead: false, heads: 4, maxLength: 128 };
  const attention = { ...sizes, feedForward: 'mlp', expansion: 4 };
  expect(languageModel({ mixer: 'mhsa' }).config).toEqual({ ...attention, mixer: 'mhsa', position: 'rotary', shiftHeads: 0 });
  expect(languageModel({ mixer: 'shift+mhsa', heads: 8 }).config).toEqual({
    ...attention,
    mixer: 'shift+mhsa',
    heads: 8,
    position: 'none',
    shiftHeads: 4,
  });
  expect(languageModel({ mixer: 'shift' }).config).toMatchObject({ terms: 8, parameter: 'full' });
  const subspaces = { ...sizes, headDim: 32, output: 'tied', stepSize: 1, learnStepSize: false, position: 'learned' };
  expect(languageModel({ mixer: 'mssa' }).config).toEqual({ ...subspaces, mixer: 'mssa', feedForward: 'none' });
  expect(languageModel({ mixer: 'crate' }).config).toEqual({
    ...subspaces,
    mixer: 'crate',
    feedForward: 'ista',
    istaStepSize: 0.1,
    istaThreshold: 0.1,
  });
  const refused: [object, string][] = [
    [{ mixer: 'mssa', heads: 3 }, 'languageModel: option heads must divide dim, 128, or headDim be given, got 3'],
    [{ mixer: 'mssa', position: 'rotary' }, "option position of the mixer 'mssa' must be 'learned' or 'none'"],
    [{ mixer: 'mssa', expansion: 2 }, "languageModel: option expansion is of feedForward 'mlp', and this is 'none'"],
    [{ mixer: 'crate', feedForward: 'mlp' }, "option feedForward of the mixer 'crate' is 'ista', got 'mlp'"],
    [{ mixer: 'mhsa', headDim: 3 }, "languageModel: the mixer 'mhsa' has no option headDim"],
    [{ mixer: 'mhsa', istaThreshold: 1 }, "option istaThreshold is of feedForward 'ista', and this is 'mlp'"],
    [{ mixer: 'mssa', output: 'free' }, "option output must be one of 'tied', 'untied', got 'free'"],
    [{ mixer: 'mhsa', terms: 3 }, "languageModel: the mixer 'mhsa' has no option terms"],
    [{ mixer: 'mhsa', heads: 3 }, 'languageModel: option heads must divide dim, 128, got 3'],
    [{ mixer: 'shift+mhsa', shiftHeads: 4 }, 'option shiftHeads must leave a head of each kind among the 4, got 4'],
    [{ mixer: 'shift+mhsa', heads: 1 }, 'option shiftHeads must leave a head of each kind among the 1, got 0'],
    [{ mixer: 'mhsa', heads: 128 }, "option position 'rotary' turns pairs of channels, but a head has 1"],
    [{ mixer: 'mhsa', position: 'sin' }, "option position must be one of 'rotary', 'learned', 'alibi', 't5', 'none'"],
    [{ mixer: 'shift', parameter: 'cp' }, "languageModel: option rank is missing; the parameter 'cp' has one"],
    [{ mixer: 'shift', rank: 3 }, "languageModel: the parameter 'full' has no option rank"],
  ];
  for (const [given, message] of refused) expect(() => languageModel(given as never)).toThrow(message);
});

test('refuses mixers that do not exist, and bad sizes', () => {
  expect(() => languageModel({ ...config, mixer: 'rnn' })).toThrow(
    "languageModel: option mixer must be one of 'aft-simple', 'mhsa', 'shift', 'mssa', 'crate', 'shift+mhsa', got 'rnn'",
  );
  expect(() => languageModel({ ...config, dim: 0 })).toThrow('languageModel: option dim must be an integer above 0, got 0');
  expect(() => languageModel({ ...config, heads: 4 })).toThrow("languageModel: the mixer 'aft-simple' has no option heads");
  expect(() => languageModel({ ...config, head: 4 } as never)).toThrow("languageModel: unknown option 'head'");
});
