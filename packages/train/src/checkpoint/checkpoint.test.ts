import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { flattenParams } from '../model/params';
import type { Checkpoint } from './checkpoint-state';
import { loadCheckpoint, loadModel } from './load-checkpoint';
import { saveCheckpoint } from './save-checkpoint';
import { writeSafetensors } from './write-safetensors';

const checkpoint = (step: number): Checkpoint => ({
  config: { any: ['thing', step] },
  step,
  random: [1, 2, 3, 4],
  params: { b: tf.tensor([0.1, step, Number.NaN]), blocks: { 10: { w: tf.ones([2, 2]) }, 2: { w: tf.zeros([1, 2]) } } },
  optimizer: { updates: step, tensors: { mean: tf.tensor([-0, 1e-45]) } },
});

describeBackends('checkpoints', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mixfold-checkpoint-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('come back bit for bit, in the order of flattenParams', async () => {
    const saved = checkpoint(12);
    await saveCheckpoint(folder, saved);
    const loaded = await loadCheckpoint(folder);
    expect({ ...loaded, params: null, optimizer: loaded.optimizer.updates }).toEqual({ ...saved, params: null, optimizer: 12 });
    const bits = async (tensors: [string, tf.Tensor][]) =>
      Promise.all(
        tensors.map(async ([name, tensor]) => [name, tensor.shape, [...new Uint32Array((await tensor.data()).slice().buffer)]]),
      );
    expect(await bits(flattenParams(loaded.params))).toEqual(await bits(flattenParams(saved.params)));
    expect(await bits(Object.entries(loaded.optimizer.tensors))).toEqual(await bits(Object.entries(saved.optimizer.tensors)));
    expect(flattenParams(loaded.params).map(([path]) => path)).toEqual(['b', 'blocks.2.w', 'blocks.10.w']);
    tf.dispose([loaded.params as tf.TensorContainer, loaded.optimizer.tensors]);
  });

  test('replace each other and leave one set of files', async () => {
    await saveCheckpoint(folder, checkpoint(1));
    await writeFile(join(folder, 'model.safetensors.0123456789ab.tmp'), 'left by a crash');
    await saveCheckpoint(folder, checkpoint(2));
    expect((await readdir(folder)).sort()).toEqual(['model.safetensors', 'optimizer-2.safetensors', 'state.json']);
    expect((await loadCheckpoint(folder)).step).toBe(2);
  });

  test('a crash between two renames leaves the one before or the one after', async () => {
    await saveCheckpoint(folder, checkpoint(1));
    const first = await mkdtemp(join(tmpdir(), 'mixfold-checkpoint-'));
    for (const name of await readdir(folder)) await copyFile(join(folder, name), join(first, name));
    await saveCheckpoint(folder, checkpoint(2));
    await copyFile(join(folder, 'optimizer-2.safetensors'), join(first, 'optimizer-2.safetensors'));
    expect((await loadCheckpoint(first)).step).toBe(1);
    await copyFile(join(folder, 'model.safetensors'), join(first, 'model.safetensors'));
    expect((await loadCheckpoint(first)).step).toBe(2);
    await rm(first, { recursive: true });
  });

  test('the model can be read without the moments', async () => {
    await saveCheckpoint(folder, checkpoint(3));
    await rm(join(folder, 'optimizer-3.safetensors'));
    expect((await loadModel(folder)).step).toBe(3);
    await expect(loadCheckpoint(folder)).rejects.toThrow(
      'holds no optimizer-3.safetensors; give a folder that mixfold train wrote',
    );
  });

  test('refuses what is truncated, damaged or foreign, and makes no tensor of it', async () => {
    await saveCheckpoint(folder, checkpoint(3));
    const path = join(folder, 'model.safetensors');
    const whole = await readFile(path);
    const refused = (message: string | RegExp) =>
      expect(loadCheckpoint(folder)).rejects.toThrow(
        expect.objectContaining({
          name: 'CheckpointError',
          message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
        }),
      );
    const before = tf.memory().numTensors;
    for (const length of [0, 7, 100, whole.length - 1]) {
      await truncate(path, length);
      await refused(/model\.safetensors is damaged: .*; restore it, or train again/);
      await writeFile(path, whole);
    }
    const flipped = Buffer.from(whole);
    flipped[whole.length - 3]! ^= 1;
    await writeFile(path, flipped);
    await refused('its weights do not fit their checksum');
    await writeFile(path, writeSafetensors(new Map()));
    await refused('was not written by mixfold; give a folder that mixfold train wrote');
    await writeFile(path, writeSafetensors(new Map(), new Map([['mixfold', '{"format":"other"}']])));
    await refused('was not written by mixfold, or is damaged (format)');
    await writeFile(path, whole);

    const state = await readFile(join(folder, 'state.json'), 'utf8');
    await writeFile(join(folder, 'state.json'), state.slice(0, 50));
    await refused('state.json is damaged: it is not JSON');
    await writeFile(join(folder, 'state.json'), state.replace('"step": 3', '"step": 4'));
    await refused('they belong to different checkpoints');
    await rm(path);
    await refused('holds no model.safetensors');
    await expect(loadCheckpoint(join(folder, 'none'))).rejects.toThrow(
      'none does not exist; give a folder that mixfold train wrote',
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});
