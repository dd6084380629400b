import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleCli, lines, mixfold, removeCli } from './test-cli';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mixfold-reproduce-'));
  await writeFile(join(folder, 'text.txt'), 'Call me Ishmael. Some years ago, never mind how long precisely. '.repeat(100));
  await bundleCli();
});
afterAll(() => Promise.all([rm(folder, { recursive: true }), removeCli()]));

describe('mixfold reproduce', () => {
  test('writes figures and a page, and may write over its own', async () => {
    const words = '--steps 4 --seeds 1 --dim 8 --layers 1 --heads 2 --batch 2 --windows 2'.split(' ');
    const study = [...'reproduce shift-heads --data text.txt --context 8 --backend wasm --out study'.split(' '), ...words];
    const { code, stdout, stderr } = await mixfold(folder, ...study);
    expect([code, stderr]).toEqual([0, '']);
    expect(lines(stdout).map(({ event }) => event)).toEqual([...new Array(18).fill('run'), 'end']);
    const result = JSON.parse(await readFile(join(folder, 'study', 'result.json'), 'utf8'));
    expect(result).toMatchObject({ study: 'shift-heads', config: { steps: 4, dim: 8 }, device: { backend: 'wasm' } });
    expect(await readFile(join(folder, 'study', 'index.html'), 'utf8')).toContain('uPlot');
    expect((await mixfold(folder, ...study)).code).toBe(0);
  });

  test('every study has options of its own, and prints its parameters and seeds', async () => {
    const words = '--tokens 32 --dim 64 --head-dim 32 --heads 2 --layers 2 --seeds 2 --noise 0.05'.split(' ');
    const { code, stdout, stderr } = await mixfold(folder, 'reproduce', 'aot-snr', '--backend', 'cpu', '--out', 'snr', ...words);
    expect([code, stderr]).toEqual([0, '']);
    expect(lines(stdout).map(({ event }) => event)).toEqual(['start', ...new Array(6).fill('run'), 'end']);
    const config = {
      tokens: 32,
      dim: 64,
      headDim: 32,
      heads: 2,
      layers: 2,
      noise: [0.05],
      stepSize: 0.1,
      tau: 0.9,
      seeds: [1, 2],
    };
    expect(lines(stdout)[0]).toMatchObject(config);
    expect((await readdir(join(folder, 'snr'))).sort()).toEqual(['index.html', 'result.json', 'snr-0.05.svg']);
    expect(JSON.parse(await readFile(join(folder, 'snr', 'result.json'), 'utf8'))).toMatchObject({ study: 'aot-snr', config });
    expect((await mixfold(folder, 'reproduce', '--help')).stdout).toMatch(/shift-heads.*\n.*aot-snr/);
    expect((await mixfold(folder, 'reproduce', 'aot-snr', '--help')).stdout).toMatch(
      /mixfold reproduce aot-snr[\s\S]*--step-size/,
    );
  });
});
