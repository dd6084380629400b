import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { testMathBinaries } from '../generated/test-math';
import { registry } from '../operator/registry';
import { defineWasmModule, setWasmBuild, tensorPointer, type WasmBackend, wasmBuild, withScratch } from './index';
import { wasmMemory } from './wasm-backend';

const backend = () => tf.backend() as unknown as WasmBackend;

describe('setWasmBuild', () => {
  afterEach(() => setWasmBuild('simd128'));

  it("takes 'auto' and the two builds, and refuses others", () => {
    setWasmBuild('relaxed');
    expect(wasmBuild()).toBe('relaxed');
    setWasmBuild('simd128');
    expect(registry().wasmBuild).toBe('simd128');
    setWasmBuild('auto');
    expect(wasmBuild()).toBe('relaxed');
    expect(() => setWasmBuild('fast' as never)).toThrow(/setWasmBuild: build must be 'simd128', 'relaxed' or 'auto', got 'fast'/);
    expect(wasmBuild()).toBe('relaxed');
  });
});

describeBackends(
  'a kernel module',
  () => {
    it('is made once per build and memory', () => {
      const module = defineWasmModule<'exp'>(testMathBinaries);
      const build = wasmBuild();
      const first = module.exports(backend());
      expect(module.exports(backend())).toBe(first);
      setWasmBuild(build === 'relaxed' ? 'simd128' : 'relaxed');
      expect(module.exports(backend())).not.toBe(first);
      setWasmBuild(build);
      expect(module.exports(backend())).toBe(first);
    });

    it("works on tfjs's tensors, before and after its memory grows", async () => {
      const { exp } = defineWasmModule<'exp'>(testMathBinaries).exports(backend());
      const run = async () => {
        const x = tf.tensor1d([0, 1]);
        exp(tensorPointer(backend(), x), tensorPointer(backend(), x), 2);
        return Array.from(await x.data());
      };
      const want = [1, Math.fround(Math.E)];
      expect(await run()).toEqual(want);
      const before = wasmMemory(backend()).buffer.byteLength;
      const large = tf.fill([before / 4], 1);
      expect(wasmMemory(backend()).buffer.byteLength).toBeGreaterThan(before);
      expect(await run()).toEqual(want);
      large.dispose();
    });

    it('works on a shared memory, as of the threaded build of tfjs', () => {
      const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
      const threaded = { wasm: { wasmMemory: memory } } as unknown as WasmBackend;
      const { exp } = defineWasmModule<'exp'>(testMathBinaries).exports(threaded);
      const values = new Float32Array(memory.buffer, 4096, 2);
      exp(4096, 4096, 2);
      expect(Array.from(values)).toEqual([1, 1]);
    });

    it('refuses another backend', () => {
      const module = defineWasmModule(testMathBinaries);
      expect(() => module.exports({} as never)).toThrow(/not tfjs's 'wasm' backend/);
    });

    it('frees working memory when the work throws, and says when there is none', () => {
      // The guard of these tests counts blocks, and fails on one that is left.
      const fail = () =>
        withScratch(backend(), 100, (pointer) => {
          expect(pointer % 64).toBe(0);
          throw new Error('stop');
        });
      expect(fail).toThrow('stop');
      const full = { wasm: { _malloc: () => 0 } } as unknown as WasmBackend;
      expect(() => withScratch(full, 1000, () => 0)).toThrow(/no room for 1000 bytes of working memory/);
    });
  },
  { only: ['wasm'] },
);
