import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeStaleTemporaries, writeFileAtomically } from './write-file-atomically';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mixfold-write-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('replaces a file and leaves nothing else', async () => {
  const path = join(folder, 'file');
  await writeFileAtomically(path, 'old');
  await writeFileAtomically(path, Uint8Array.of(1, 2, 3));
  expect([...(await readFile(path))]).toEqual([1, 2, 3]);
  expect(await readdir(folder)).toEqual(['file']);
});

test('keeps what was there and leaves nothing when a step fails', async () => {
  const path = join(folder, 'taken');
  await mkdir(join(path, 'inside'), { recursive: true });
  await expect(writeFileAtomically(path, 'new')).rejects.toThrow();
  expect(await readdir(folder)).toEqual(['taken']);
  await expect(writeFileAtomically(join(folder, 'no', 'file'), 'new')).rejects.toThrow('ENOENT');
});

test('writers at the same time do not mix', async () => {
  const path = join(folder, 'file');
  const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(200_000));
  await Promise.all(texts.map((text) => writeFileAtomically(path, text)));
  expect(texts).toContain(await readFile(path, 'utf8'));
});

test('removes stale temporaries of its own files only', async () => {
  const names = ['model.0123456789ab.tmp', 'other.0123456789ab.tmp', 'model.tmp', 'model.0123456789ab.tmp.txt'];
  for (const name of names) await writeFile(join(folder, name), '');
  await removeStaleTemporaries(folder, (name) => name === 'model');
  expect((await readdir(folder)).sort()).toEqual(names.slice(1).sort());
});
