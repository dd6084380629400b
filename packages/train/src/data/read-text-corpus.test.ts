import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTextCorpus } from './read-text-corpus';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mixfold-corpus-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the default text is that of TypeScript, without lib.webworker', async () => {
  const { training, validation, source, entropy } = await readTextCorpus(undefined, 128);
  expect(source).toMatch(/^declarations of TypeScript \d/);
  expect(training.length).toBeGreaterThan(1_500_000);
  expect(validation.length / (training.length + validation.length)).toBeCloseTo(0.05, 2);
  const text = new TextDecoder().decode(training);
  expect(text).toContain('interface Array<T>');
  expect(text).not.toContain('WorkerGlobalScopeEventMap');
  expect(entropy.order1).toBeLessThan(entropy.order0);
});

test('reads a file as bytes', async () => {
  const path = join(folder, 'text');
  await writeFile(path, 'a small text, again and again. '.repeat(200));
  const { training, validation } = await readTextCorpus(path, 16);
  expect(training.length + validation.length).toBe(31 * 200);
});

test('refuses what it cannot use, by the name of the argument and with the cure', async () => {
  const [empty, short] = [join(folder, 'empty'), join(folder, 'short')];
  await writeFile(empty, '');
  await writeFile(short, 'short');
  await expect(readTextCorpus(empty, 16)).rejects.toThrow(`--data ${empty} is empty: give a file with text in it`);
  await expect(readTextCorpus(short, 16)).rejects.toThrow(/has 5 bytes, too short for --context 16: give at least 340 bytes/);
  const [blocks, whole] = [join(folder, 'blocks'), join(folder, 'whole')];
  await writeFile(blocks, 'x'.repeat(24 * 8192));
  await expect(readTextCorpus(blocks, 9000)).rejects.toThrow(/too short for --context 9000: give at least 343860 bytes/);
  await writeFile(whole, 'x'.repeat(343_860));
  expect((await readTextCorpus(whole, 9000)).validation.length).toBeGreaterThan(9000);
  await expect(readTextCorpus(join(folder, 'none'), 16)).rejects.toThrow(/none does not exist: give the path of a text file/);
  await expect(readTextCorpus(folder, 16)).rejects.toThrow('is a folder');
});
