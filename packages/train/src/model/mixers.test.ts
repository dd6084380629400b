import { type LayerRecord, traceLayers } from '@mixfold/subspace-attention/measure';
import { enableWasmKernels } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { beforeAll, expect, test } from 'vitest';
import { createRandom } from '../random/random';
import { disposeLanguageState, generate } from '../training/generate';
import { languageLoss } from '../training/language-loss';
import { lossAndGradients } from '../training/loss-and-gradients';
import { languageModel } from './language-model';
import type { LanguageModelConfig } from './language-model-config';
import { countParams, type Params } from './params';
import { expectSlope, streamedLogits } from './test-model';
import type { AttentionHeads } from './token-mixer';

const [BATCH, TIME, dim] = [2, 6, 8];
const configs: LanguageModelConfig[] = [
  { mixer: 'mhsa', heads: 2 },
  { mixer: 'mhsa', heads: 2, position: 'learned', maxLength: TIME },
  { mixer: 'mhsa', heads: 2, position: 'alibi' },
  { mixer: 'mhsa', heads: 2, position: 't5' },
  { mixer: 'shift', terms: 3 },
  { mixer: 'shift', terms: 3, parameter: 'cp', rank: 2 },
  { mixer: 'shift+mhsa', heads: 4, shiftHeads: 2 },
  { mixer: 'mssa', heads: 2, maxLength: TIME },
  { mixer: 'mssa', heads: 3, headDim: 2, output: 'untied', stepSize: 0.5, learnStepSize: true, position: 'none' },
  { mixer: 'crate', heads: 2, output: 'untied', maxLength: TIME },
  { mixer: 'mhsa', heads: 2, feedForward: 'none' },
];
const named = configs.map(
  (config) =>
    [
      [config.mixer, config.position ?? config.parameter, config.feedForward, config.output].filter(Boolean).join(' '),
      config,
    ] as const,
);

function someTokens(seed = 9): tf.Tensor2D {
  const random = createRandom(seed);
  return tf.tensor2d(
    Int32Array.from({ length: BATCH * TIME }, () => random.below(256)),
    [BATCH, TIME],
    'int32',
  );
}

// One of each family where programs take long to compile: the operators have tests of their own there.
const onGpu = named.filter(([name]) => ['mhsa', 'shift', 'crate untied'].includes(name));

describeBackends('mixers', (backend) => {
  beforeAll(async () => {
    if (backend.name === 'wasm') await enableWasmKernels();
  });
  // Every layer compiles the same programs.
  const layers = backend.name === 'webgpu' ? 1 : 2;
  const cases = backend.name === 'webgpu' ? onGpu : named;

  test.each(cases)('%s: prefill in any split, and step after step, give the logits of the whole sequence', async (_, config) => {
    const model = languageModel({ ...config, dim, layers });
    const params = model.init(createRandom(1));
    const tokens = someTokens();
    const whole = model.apply(params, { inputs: tokens }, { training: false });
    const { logits, positions } = streamedLogits(model, params, tokens, [3, 4]);
    expect(positions).toEqual(new Array(layers).fill(TIME));
    await assertClose('logits', logits, await whole.data(), { relative: backend.tolerance.gradient });
  });

  test.each(cases)('%s: gradients agree with differences of the loss, and leave nothing behind', async (_, config) => {
    const model = languageModel({ ...config, dim, layers });
    const params = model.init(createRandom(1));
    const batch = { inputs: someTokens(), targets: someTokens(2) };
    const lossOf = (weights: Params) => languageLoss(model, weights, batch, true);
    const { gradients } = lossAndGradients(lossOf, params);
    await expectSlope(lossOf, params, gradients, createRandom(6), config.mixer === 'crate' ? 2 ** -11 : undefined);
    if (backend.name === 'webgpu') return;
    await expectNoLeak(() => lossAndGradients(lossOf, params) as unknown as tf.TensorContainer);
    await expectNoLeak(() => {
      const state = model.initialState(BATCH);
      const next = model.prefill(params, batch.inputs, state);
      disposeLanguageState(state);
      disposeLanguageState(next.state);
      return next.logits;
    });
  });

  if (backend.name === 'webgpu') return;

  test.each(named)('%s: no place sees a later one', async (_, config) => {
    const model = languageModel({ ...config, dim, layers });
    const params = model.init(createRandom(1));
    const tokens = await someTokens().array();
    for (const row of tokens) row[4] = (row[4]! + 1) % 256;
    const before = model.apply(params, { inputs: someTokens() }, { training: false });
    const after = model.apply(params, { inputs: tf.tensor2d(tokens, [BATCH, TIME], 'int32') }, { training: false });
    const early = async (logits: tf.Tensor) => tf.slice(logits, [0, 0, 0], [BATCH, 4, 256]).data();
    expect(await early(after)).toEqual(await early(before));
    expect(await after.data()).not.toEqual(await before.data());
  });
});

const attentionWeights = (content: number) => (content + content + 2) * dim * dim;
const [outside, mlp] = [2 * 256 * dim + dim, 2 * dim * 4 * dim + dim];
const rest = outside + 2 * (mlp + dim);

test.each([
  [{ mixer: 'mhsa', heads: 2 }, 2 * attentionWeights(1)],
  [{ mixer: 'mhsa', heads: 2, position: 'learned', maxLength: 50 }, 2 * attentionWeights(1) + 50 * dim],
  // Shift heads have no queries and keys.
  [{ mixer: 'shift+mhsa', heads: 4, shiftHeads: 2 }, 2 * attentionWeights(1 / 2)],
  [{ mixer: 'shift', terms: 3 }, 2 * 3 * dim * dim],
  [{ mixer: 'shift', terms: 3, parameter: 'depthwise' }, 2 * 3 * dim],
  [{ mixer: 'shift', terms: 3, parameter: 'separable' }, 2 * (3 * dim + dim * dim)],
  [{ mixer: 'shift', terms: 3, parameter: 'lowRank', rank: 2 }, 2 * 3 * 2 * 2 * dim],
  [{ mixer: 'shift', terms: 3, parameter: 'cp', rank: 2 }, 2 * 2 * (3 + 2 * dim)],
  [{ mixer: 'mssa', heads: 2, maxLength: 5 }, 2 * (dim * dim - mlp) + 5 * dim],
  [{ mixer: 'mssa', heads: 2, output: 'untied', position: 'none', learnStepSize: true }, 2 * (2 * dim * dim + 1 - mlp)],
  [{ mixer: 'mssa', heads: 3, headDim: 2, feedForward: 'mlp', position: 'none' }, 2 * 6 * dim],
  [{ mixer: 'crate', heads: 2, output: 'untied', position: 'none' }, 2 * (3 * dim * dim + dim - mlp)],
  [{ mixer: 'mhsa', heads: 2, feedForward: 'none' }, 2 * (4 * dim * dim - mlp)],
])('%j has the weights that its sizes say', (config, weights) => {
  const model = languageModel({ ...(config as LanguageModelConfig), dim, layers: 2 });
  expect(countParams(model.init(createRandom(1)))).toBe(rest + weights);
  expect(model.parameterCount).toBe(rest + weights);
});

test('a shift head of value and output weights alone copies from as far back as it is numbered', async () => {
  const model = languageModel({ mixer: 'shift+mhsa', heads: 4, shiftHeads: 3, dim, layers: 1 });
  const { mixer } = model;
  const identity = tf.eye(dim);
  const params = { query: tf.zeros([dim, 2]), key: tf.zeros([dim, 2]), value: identity, output: identity };
  const rows = tf.reshape(tf.range(1, 5 * dim + 1), [5, dim]) as tf.Tensor2D;
  const mixed = await mixer.apply(params, rows, { batch: 1, time: 5 }).array();
  const given = await rows.array();
  for (let t = 0; t < 5; t++) {
    for (let c = 2; c < dim; c++) {
      const offset = Math.floor(c / 2);
      expect(mixed[t]![c]).toBe(t < offset ? 0 : given[t - offset]![c]);
    }
  }
});

test('learned positions end', () => {
  const model = languageModel({ mixer: 'mhsa', position: 'learned', maxLength: 4, dim, layers: 1 });
  const params = model.init(createRandom(1));
  expect(() => model.apply(params, { inputs: someTokens() }, { training: false })).toThrow(
    'languageModel: a text of 6 bytes is longer than maxLength, 4, which its learned positions end with',
  );
});

test('heads can be watched and replaced', async () => {
  const model = languageModel({ mixer: 'shift+mhsa', heads: 4, shiftHeads: 2, dim, layers: 2 });
  const params = model.init(createRandom(1));
  const seen: [number, number[]][] = [];
  const watch = (layer: number, { query, output }: AttentionHeads) => {
    seen.push([layer, query.shape]);
    return output;
  };
  const plain = model.apply(params, { inputs: someTokens() }, { training: false });
  const watched = model.apply(params, { inputs: someTokens() }, { training: false, watch });
  expect(seen).toEqual([
    [0, [BATCH, 2, TIME, 2]],
    [1, [BATCH, 2, TIME, 2]],
  ]);
  expect(await watched.data()).toEqual(await plain.data());
  const silenced = model.apply(
    params,
    { inputs: someTokens() },
    { training: false, watch: (_, { output }) => tf.zerosLike(output) },
  );
  expect(await silenced.data()).not.toEqual(await plain.data());
});

test('a text that fills learned positions goes on from its last half of them', async () => {
  const model = languageModel({ mixer: 'mssa', heads: 2, maxLength: 6, dim, layers: 1 });
  const params = model.init(createRandom(1));
  const prompt = [97, 98, 99, 100];
  const drawn = await generate(model, params, { prompt: Uint8Array.from(prompt), tokens: 9, temperature: 0 });
  let window = prompt;
  for (const byte of drawn) {
    const logits = model.apply(params, { inputs: tf.tensor2d([window], [1, window.length], 'int32') }, { training: false });
    const last = tf.reshape(tf.slice(logits, [0, window.length - 1, 0], [1, 1, 256]), [256]);
    expect((await tf.argMax(last).data())[0]).toBe(byte);
    window = window.length === 6 ? [...window.slice(-2), byte] : [...window, byte];
  }
  await expect(generate(languageModel({ dim, layers: 1, classes: 300 }), params, { prompt: 'x', tokens: 1 })).rejects.toThrow(
    'generate: the model must tell 256 bytes apart, its tokens are 300',
  );
});

test('layers with subspaces are recorded for traceLayers, and the records own their tokens', async () => {
  const model = languageModel({ mixer: 'crate', heads: 2, output: 'untied', dim, layers: 2 });
  const params = model.init(createRandom(1));
  const records: LayerRecord[] = [];
  const inputs = someTokens();
  const plain = await model.apply(params, { inputs }, { training: false }).data();
  const before = tf.memory().numTensors;
  const logits = model.apply(params, { inputs }, { training: false, record: (layer) => records.push(layer) });
  expect(await logits.data()).toEqual(plain);
  const trace = await traceLayers(records);
  expect(trace.map(({ maps }) => maps.shape)).toEqual([
    [BATCH, 2, TIME, TIME],
    [BATCH, 2, TIME, TIME],
  ]);
  // Causal, so the first token attends to itself; and what leaves a layer of ISTA enters the next.
  expect([...trace[1]!.maps.data.slice(0, TIME)]).toEqual([1, ...new Array(TIME - 1).fill(0)]);
  expect(await records[0]!.output!.data()).toEqual(await records[1]!.tokens.data());
  logits.dispose();
  for (const { tokens, attended, output } of records) for (const tensor of [tokens, attended!, output!]) tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
  const other = languageModel({ mixer: 'mhsa', dim, layers: 1 });
  expect(() => other.apply(other.init(createRandom(1)), { inputs }, { training: false, record: () => {} })).toThrow(
    "languageModel: option record is for the mixers 'mssa' and 'crate', whose layers have subspaces",
  );
});
