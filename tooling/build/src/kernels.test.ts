import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { unpackBinary } from '../../../packages/tensor-ops/src/wasm/unpack-binary';
import { buildKernels } from '../kernels.mjs';

let folder = '';
const write = (name: string, source: string) => writeFileSync(join(folder, 'assembly', name), source);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kernels-'));
  await mkdir(join(folder, 'assembly'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('compiles both builds of a kernel, and again only when a source changed', async () => {
  write('one.ts', 'export function one(at: usize): f32 { return load<f32>(at); }');
  write('add-one.kernel.ts', "import { one } from './one';\nexport function addOne(x: f32): f32 { return x + one(8); }");
  write('other.kernel.ts', 'export function clear(at: usize): void { store<f32>(at, 0); }');
  expect(await buildKernels(folder)).toEqual({ compiled: ['add-one', 'other'], fresh: [] });
  const { addOneBinaries } = await import(/* @vite-ignore */ join(folder, 'src/generated/add-one.ts'));
  for (const build of [0, 1]) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 32768 });
    new Float32Array(memory.buffer)[2] = 1;
    const { instance } = await WebAssembly.instantiate(unpackBinary(addOneBinaries[0][build]), { env: { memory } });
    expect((instance.exports as { addOne(x: number): number }).addOne(2)).toBe(3);
  }
  expect(await buildKernels(folder)).toEqual({ compiled: [], fresh: ['add-one', 'other'] });
  write('one.ts', 'export function one(at: usize): f32 { return 2 * load<f32>(at); }');
  expect(await buildKernels(folder)).toEqual({ compiled: ['add-one'], fresh: ['other'] });
});

it('removes what has no source any more', async () => {
  write('one.kernel.ts', 'export function one(at: usize): f32 { return load<f32>(at); }');
  await buildKernels(folder);
  rmSync(join(folder, 'assembly/one.kernel.ts'));
  await buildKernels(folder);
  expect(readdirSync(join(folder, 'src/generated'))).toEqual([]);
});

it('does nothing in a package without kernels', async () => {
  rmSync(join(folder, 'assembly'), { recursive: true });
  expect(await buildKernels(folder)).toEqual({ compiled: [], fresh: [] });
});

const unfit = [
  [
    'a data segment',
    'export function get(i: usize): i32 { return load<i32>(memory.data<i32>([1, 2, 3]) + 4 * i); }',
    /has a data segment/,
  ],
  [
    'a start function',
    'let x: f32 = sqrt<f32>(load<f32>(0));\nexport function get(): f32 { return x; }',
    /has a start function; a top-level value/,
  ],
  [
    'another import',
    'declare function log(x: i32): void;\nexport function show(): void { log(1); }',
    /env\.memory .* nothing else/,
  ],
  ['a mistake', 'export function one(): f32 { return 1; ', /one\.kernel\.ts/],
] as const;

it.each(unfit)('refuses a module with %s, and writes nothing', async (_, source, message) => {
  write('one.kernel.ts', source);
  await expect(buildKernels(folder)).rejects.toThrow(message);
  expect(readdirSync(join(folder, 'src/generated'))).toEqual([]);
});
