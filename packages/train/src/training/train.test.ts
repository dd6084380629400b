import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enableWasmKernels } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TrainState } from '../checkpoint/checkpoint-state';
import { loadCheckpoint } from '../checkpoint/load-checkpoint';
import { digestOfTensors, readTensors } from '../checkpoint/read-tensors';
import { textCorpus } from '../data/text-corpus';
import { languageModel } from '../model/language-model';
import { disposeParams, flattenParams } from '../model/params';
import { createRandom } from '../random/random';
import { evaluate } from './evaluate';
import { generate } from './generate';
import { type TrainConfig, train } from './train';
import type { TrainEvent } from './train-event';

const corpus = textCorpus(
  new TextEncoder().encode('It is a truth universally acknowledged, that it repeats. '.repeat(100)),
  'a test',
);
const model = languageModel({ mixer: 'aft-simple', dim: 16, layers: 2 });
const small: TrainConfig = { model, corpus, steps: 20, batch: 4, context: 24, evaluateWindows: 2 };

async function run(config: TrainConfig): Promise<{ events: TrainEvent[]; state: TrainState }> {
  const events: TrainEvent[] = [];
  for await (const event of train(config)) events.push(event);
  const end = events.at(-1)!;
  if (end.event !== 'end') throw new Error('no end');
  return { events, state: end.state };
}

const losses = (events: TrainEvent[]) => events.flatMap((event) => (event.event === 'step' ? [event.loss] : []));

async function digests({ params, optimizer }: TrainState): Promise<string[]> {
  const read = [flattenParams(params), Object.entries(optimizer.tensors)].map(async (tensors) =>
    digestOfTensors(await readTensors(tensors)),
  );
  return Promise.all(read);
}

function disposeState({ params, optimizer }: TrainState): void {
  disposeParams(params);
  tf.dispose(optimizer.tensors as Record<string, tf.Tensor>);
}

describeBackends('train', (backend) => {
  beforeAll(async () => {
    if (backend.name === 'wasm') await enableWasmKernels();
  });
  /** For what is promised of one build alone. */
  const exact = (name: string, body: () => void) => {
    if (backend.label === 'wasm simd128') describe(name, body);
  };

  test('learns, in the order of its events', async () => {
    const { events, state } = await run({ ...small, steps: 6, rate: 0.01, evaluateEvery: 3 });
    expect(events.map(({ event }) => event).join(' ')).toBe(
      `start ${'step '.repeat(3)}evaluate ${'step '.repeat(3)}evaluate end`,
    );
    const [first, last] = [losses(events)[0]!, losses(events).at(-1)!];
    expect(Math.abs(first - Math.log(256))).toBeLessThan(0.5);
    expect(last).toBeLessThan(first - 0.5);
    const evaluations = events.filter(({ event }) => event === 'evaluate');
    expect(await evaluate(model, state.params, corpus.validation, { context: 24, batch: 3 })).toMatchObject({ bytes: 264 });
    expect((evaluations.at(-1) as { loss: number }).loss).toBeLessThan((evaluations[0] as { loss: number }).loss);
    disposeState(state);
  });

  test('generate draws through the stream what the whole sequence says', async () => {
    const params = model.init(createRandom(2));
    const prompt = new TextEncoder().encode('It is a');
    // Every length of the whole sequence is a compilation of all shaders.
    const drawn = await generate(model, params, { prompt, tokens: backend.name === 'webgpu' ? 1 : 4, temperature: 0 });
    const text = [...prompt];
    for (const byte of drawn) {
      const logits = model.apply(params, { inputs: tf.tensor2d([text], [1, text.length], 'int32') }, { training: false });
      const last = await tf.slice(logits, [0, text.length - 1, 0], [1, 1, 256]).data();
      expect(last[byte]).toBeGreaterThan(Math.max(...last) - 1e-4);
      text.push(byte);
    }
    await expectNoLeak(async () => {
      await generate(model, params, { prompt, tokens: 3 });
      return [];
    });
    await expect(generate(model, params, { prompt: '', tokens: 3 })).rejects.toThrow(
      'generate: option prompt must have at least one byte',
    );
    await expect(generate(model, params, { prompt: 'x', tokens: 0 })).rejects.toThrow('generate: option tokens');
  });

  exact('exactly', () => {
    test('generate draws the same for a seed, and for another others', async () => {
      const params = model.init(createRandom(2));
      const draw = (seed: number) => generate(model, params, { prompt: 'x', tokens: 8, seed });
      expect(await draw(5)).toEqual(await draw(5));
      expect(await draw(6)).not.toEqual(await draw(5));
    });

    test('two runs of one seed are equal bit for bit, of another are not', async () => {
      const [one, two, other] = [await run(small), await run(small), await run({ ...small, seed: 2 })];
      expect(losses(two.events)).toEqual(losses(one.events));
      expect(await digests(two.state)).toEqual(await digests(one.state));
      expect(await digests(other.state)).not.toEqual(await digests(one.state));
      for (const { state } of [one, two, other]) disposeState(state);
    });

    test('12 steps, a checkpoint, and 8 steps more equal 20 steps', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'mixfold-train-'));
      const whole = await run(small);
      const stop = new AbortController();
      const first: TrainEvent[] = [];
      for await (const event of train({ ...small, checkpoint: { directory, every: 100, config: {} }, signal: stop.signal })) {
        first.push(event);
        if (event.event === 'step' && event.step === 12) stop.abort();
        if (event.event === 'end') disposeState(event.state);
      }
      expect(first.at(-1)).toMatchObject({ event: 'end', step: 12, stopped: true });
      expect(first.at(-2)).toEqual({ event: 'checkpoint', step: 12, directory });
      const { config: _, ...state } = await loadCheckpoint(directory);
      const second = await run({ ...small, state });
      expect([...losses(first), ...losses(second.events)]).toEqual(losses(whole.events));
      expect(await digests(second.state)).toEqual(await digests(whole.state));
      expect(second.state.random).toEqual(whole.state.random);
      for (const { state } of [whole, second]) disposeState(state);
      await rm(directory, { recursive: true });
    });

    test('holds the same number of tensors after every step, and none when it is left early', async () => {
      const before = tf.memory().numTensors;
      const counts: number[] = [];
      for await (const { event } of train({ ...small, evaluateEvery: 3 })) {
        if (event === 'step') counts.push(tf.memory().numTensors);
        if (counts.length === 8) break;
      }
      expect(new Set(counts).size).toBe(1);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('ends with an error when the loss is not finite, and keeps the checkpoint', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'mixfold-train-'));
      const before = tf.memory().numTensors;
      const checkpoint = { directory, every: 2, config: {} };
      const schedule = (step: number) => (step < 2 ? 1e-3 : 1e38);
      await expect(run({ ...small, checkpoint, schedule })).rejects.toThrow(
        /^the loss is (NaN|Infinity) at step \d, .*: train again with a smaller rate$/,
      );
      expect(tf.memory().numTensors).toBe(before);
      expect(await readdir(directory)).toContain('model.safetensors');
      await rm(directory, { recursive: true });
    });
  });

  test('refuses bad options', async () => {
    await expect(run({ ...small, rate: Number.NaN })).rejects.toThrow(
      'train: option rate must be a finite number above 0, got NaN',
    );
    await expect(run({ ...small, steps: undefined } as never)).rejects.toThrow('train: option steps is missing');
    await expect(run({ ...small, epochs: 3 } as TrainConfig)).rejects.toThrow("train: unknown option 'epochs'");
    const params = model.init(createRandom(1));
    await expect(evaluate(model, params, new Uint8Array(9), { context: 9 })).rejects.toThrow(
      'the text has 9 bytes, fewer than a window of 10',
    );
  });
});
