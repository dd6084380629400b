import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { softwareGpuEnvironment } from './chromium.mjs';
import { packGpuBench } from './pack-gpu-bench.mjs';
import { tarOf } from './tarball.mjs';

const folder = mkdtempSync(join(tmpdir(), 'mixfold-pack-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('refuses a name that tar has no room for, and a file of another kind', async () => {
  expect(() => tarOf([{ name: 'a'.repeat(101), bytes: Buffer.alloc(0) }])).toThrow('at most 100 bytes');
  await expect(packGpuBench('archive.zip')).rejects.toThrow(/--pack takes a file|packed on Linux x86-64/);
});

const driver = process.env.VK_ICD_FILENAMES ?? softwareGpuEnvironment()?.VK_ICD_FILENAMES;
const isHere = process.platform === 'linux' && process.arch === 'x64' && driver !== undefined;

it.runIf(isHere)('packs an archive that checks and times a case without Node, by one command', async () => {
  const file = join(folder, 'bench.tar.gz');
  await packGpuBench(file, { level: 1 });
  execFileSync('tar', ['xf', file], { cwd: folder });
  const command = join(folder, 'mixfold-gpu-bench', 'run');
  const run = (...args) => {
    const env = { PATH: '/nowhere', VK_ICD_FILENAMES: driver };
    return spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', timeout: 100_000 });
  };
  const refused = run('--only', 'gelu');
  expect(refused.status, refused.stderr).toBe(2);
  expect(refused.stderr).toContain('--allow-software');

  const { status, stdout, stderr } = run('--only', 'gelu', '--tiny', '--allow-software', '--json', 'figures.json');
  expect(status, stdout + stderr).toBe(0);
  const { checks, cases, failed, torch } = JSON.parse(readFileSync(join(folder, 'figures.json'), 'utf8'));
  expect(failed).toBe(false);
  expect(checks).toMatchObject([{ name: 'gelu', right: ['fused', 'tfjs', 'composed'], wrong: {}, leftOut: {} }]);
  expect(cases.map(({ pass }) => pass)).toEqual(['forward', 'both']);
  for (const { timings } of cases) expect(timings.map(({ form }) => form)).toEqual(['fused', 'tfjs', 'composed']);
  expect(torch.missing).toContain('python3');
});
