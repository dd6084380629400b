import { describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type NodeProject, nodeProject } from '../devices/test-node-project';
import { matMul } from '../mat-mul/mat-mul';
import { registry } from '../operator/registry';
import { einsum } from '../tensor-algebra/einsum';
import { enableWasmKernels, type WasmReport } from '../wasm-kernels/enable-wasm-kernels';
import type * as division from './divide-products';
import { workerSource } from './worker-source';

// Small products too, so that many can be tried; `threadsPay` has tests of its own.
const always = vi.hoisted(() => ({ on: true }));
vi.mock('./divide-products', async (importOriginal) => {
  const real = await importOriginal<typeof division>();
  return { ...real, threadsPay: (...args: Parameters<typeof real.threadsPay>) => always.on || real.threadsPay(...args) };
});

let report: WasmReport | undefined;
let warn: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  always.on = true;
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterEach(() => {
  report?.restore();
  report = undefined;
  vi.restoreAllMocks();
});

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const activations = ['linear', 'relu', 'relu6', 'sigmoid', 'elu', 'leakyrelu', 'prelu'] as const;

/** The bytes of what `compute` makes. */
const bytesOf = (compute: () => tf.Tensor): Buffer => {
  const result = tf.tidy(compute);
  const bytes = Buffer.from(new Uint8Array(result.dataSync().buffer).slice());
  result.dispose();
  return bytes;
};

/** What `compute` makes on one thread, then on several, must be the same bytes; and the threads must have had a part in it. */
function expectSameBits(name: string, compute: () => tf.Tensor): void {
  const shared = registry();
  const threads = shared.wasmThreads!;
  const multiply = vi.spyOn(threads, 'multiply');
  const several = bytesOf(compute);
  expect(multiply.mock.results.map(({ value }) => value)).not.toContain(false);
  expect(multiply, name).toHaveBeenCalled();
  multiply.mockRestore();
  shared.wasmThreads = undefined;
  const one = bytesOf(compute);
  shared.wasmThreads = threads;
  if (!one.equals(several)) throw new Error(`${name}: the bytes differ from those of one thread`);
}

/** Workers that run another program than ours. */
function useWorkers(change: (source: string) => string): void {
  const get = process.getBuiltinModule.bind(process);
  const node = get('node:worker_threads');
  class Worker extends node.Worker {
    constructor(source: string, options: import('node:worker_threads').WorkerOptions) {
      super(change(source), options);
    }
  }
  vi.spyOn(process, 'getBuiltinModule').mockImplementation(((name: string) =>
    name === 'node:worker_threads' ? { ...node, Worker } : get(name as never)) as never);
}

describeBackends(
  'products on threads',
  () => {
    it.each([2, 3])('have the same bits on %d threads as on one, in 500 products of all kinds', async (threads) => {
      report = await enableWasmKernels({ threads });
      expect(report).toMatchObject({ threads, threadsReason: undefined });
      const random = new SeededRandom(threads);
      const size = (most: number) => 1 + Math.floor(most ** random.uniform(0, 1));
      for (let i = 0; i < 500; i++) {
        const [transposeA, transposeB] = transposes[i % 4]!;
        const [rows, depth, columns] = [size(150), size(300), size(150)];
        const batch = i % 3 === 0 ? [size(9)] : [];
        const a = tensorOf(random.normals([...batch, ...(transposeA ? [depth, rows] : [rows, depth])]));
        const b = tensorOf(random.normals([...(i % 2 ? batch : []), ...(transposeB ? [columns, depth] : [depth, columns])]));
        const name = `${batch} [${rows}, ${depth}, ${columns}] ${transposeA} ${transposeB}`;
        if (i % 2 || batch.length === 0) {
          const bias = i % 5 ? tensorOf(random.normals([columns])) : undefined;
          const activation = activations[i % 7]!;
          const slopes = activation === 'prelu' ? tensorOf(random.normals([columns])) : undefined;
          const options = { transposeA, transposeB, bias, activation, leakyreluAlpha: 0.3, preluActivationWeights: slopes };
          expectSameBits(`${name} ${activation}`, () => tf.fused.matMul({ a, b, ...options } as never));
          tf.dispose([bias ?? [], slopes ?? []]);
        } else {
          expectSameBits(name, () => matMul(a as tf.Tensor3D, b as tf.Tensor2D, { transposeA, transposeB }));
        }
        tf.dispose([a, b]);
      }
      expect(report.threads).toBe(threads);
      expect(warn).not.toHaveBeenCalled();
    });

    it('serve broadcast stacks, matMul, einsum and gradients alike', async () => {
      report = await enableWasmKernels({ threads: 2 });
      const random = new SeededRandom(1);
      const tensor = (...shape: number[]) => tensorOf<tf.Tensor>(random.normals(shape));
      const [a, b, stack, weight] = [tensor(2, 1, 33, 40), tensor(3, 40, 29), tensor(5, 17, 21), tensor(21, 13)];
      expectSameBits('broadcast', () => tf.matMul(a, b));
      expectSameBits('einsum', () => einsum('btd,dc->bct', stack, weight));
      for (const k of [0, 1]) {
        expectSameBits(`gradient ${k}`, () => tf.grads((x: tf.Tensor, y: tf.Tensor) => matMul(x, y))([stack, weight])[k]!);
      }
    });

    it('keep their bits while both memories grow', async () => {
      report = await enableWasmKernels({ threads: 2 });
      const kept: tf.Tensor[] = [];
      for (const size of [64, 700, 65, 1400, 66]) {
        const a = tf.randomNormal([size, 257], 0, 1, 'float32', size);
        kept.push(a, tf.zeros([size, 2000]));
        expectSameBits(`size ${size}`, () => tf.matMul(a, a, false, true));
      }
      tf.dispose(kept);
    });

    it('leak nothing', async () => {
      report = await enableWasmKernels({ threads: 2 });
      const [a, b] = [tf.ones([3, 70, 50]), tf.ones([3, 50, 60])];
      await expectNoLeak(() => tf.matMul(a, b));
    });

    it('run only where they pay', async () => {
      always.on = false;
      report = await enableWasmKernels({ threads: 2 });
      const multiply = vi.spyOn(registry().wasmThreads!, 'multiply');
      tf.matMul(tf.ones([64, 64]), tf.ones([64, 64]));
      expect(multiply).toHaveLastReturnedWith(false);
      tf.matMul(tf.ones([400, 400]), tf.ones([400, 400]));
      expect(multiply).toHaveLastReturnedWith(true);
    });

    it('are as many as asked for, until restored', async () => {
      report = await enableWasmKernels();
      expect(report.threads).toBe(1);
      expect((await enableWasmKernels({ threads: 3 })).threads).toBe(3);
      const pool = registry().wasmThreads;
      const again = await enableWasmKernels({ threads: 3 });
      expect(registry().wasmThreads).toBe(pool);
      expect((await enableWasmKernels()).threads).toBe(3);
      const both = await Promise.all([enableWasmKernels({ threads: 3 }), enableWasmKernels({ threads: 2 })]);
      expect(both.map(({ threads }) => threads)).toEqual([2, 2]);
      expect(again.threads).toBe(2);
      expect((await enableWasmKernels({ threads: 1 })).threads).toBe(1);
      const starting = enableWasmKernels({ threads: 2 });
      report.restore();
      expect((await starting).threads).toBe(1);
      expect(registry().wasmThreads).toBeUndefined();
      report = await enableWasmKernels({ threads: 'auto' });
      expect(report.threads).toBe(Math.min(8, (await import('node:os')).availableParallelism()));
      expect(warn).not.toHaveBeenCalled();
    });

    it('refuse other numbers', async () => {
      for (const threads of [0, -1, 1.5, Number.NaN, 'all', null]) {
        await expect(enableWasmKernels({ threads } as never)).rejects.toThrow(
          /enableWasmKernels: option threads must be 'auto' or an integer above 0, got /,
        );
      }
    });

    it('are one, with the reason, where there are no worker threads', async () => {
      vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
      report = await enableWasmKernels({ threads: 4 });
      expect(report.threads).toBe(1);
      expect(report.threadsReason).toMatch(/worker threads run in Node only; in a browser tfjs's own threaded build/);
    });

    it('are one, with the reason, where they cannot start', async () => {
      useWorkers(() => "throw new Error('out of luck')");
      report = await enableWasmKernels({ threads: 2 });
      expect(report.threads).toBe(1);
      expect(report.threadsReason).toBe('the worker threads could not be started: out of luck');
    });

    const losses: [string, (source: string) => string, RegExp][] = [
      ['hangs', (source) => source.replace('Atomics.store(words', 'for (;;);\nAtomics.store(words'), /not done after \d+ ms/],
      ['fails', (source) => source.replace('.gemmMany(', '.nothing('), /could not run the kernel/],
      ['dies at work', (source) => source.replace('let failed', 'process.exit(3);\nlet failed'), /not done after \d+ ms/],
    ];
    it.each(losses)('give the right product when one %s, with a warning, and then are one', async (_, change, reason) => {
      useWorkers(change);
      report = await enableWasmKernels({ threads: 3 });
      expect(report.threads).toBe(3);
      const [a, b] = [tf.randomNormal([67, 80], 0, 1, 'float32', 1), tf.randomNormal([80, 90], 0, 1, 'float32', 2)];
      const product = bytesOf(() => tf.matMul(a, b));
      expect(report.threads).toBe(1);
      expect(product.equals(bytesOf(() => tf.matMul(a, b)))).toBe(true);
      expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(reason));
      expect(warn).toHaveBeenCalledExactlyOnceWith(
        expect.stringMatching(/enableWasmKernels: a worker thread was lost .* on one thread/),
      );
    });

    it('notice a thread that ended between products', async () => {
      const ended = 'setTimeout(() => process.exit(3), 50); Atomics.wait(words, 0, 0, 0); if (!workerData.kept) return;';
      useWorkers((source) => `(() => {${source.replace('let last', `${ended}\nlet last`)}})()`);
      report = await enableWasmKernels({ threads: 2 });
      await vi.waitFor(() => expect(warn).toHaveBeenCalledWith(expect.stringMatching(/it ended with code 3/)));
      expect(report.threads).toBe(1);
      tf.matMul(tf.ones([40, 40]), tf.ones([40, 40]));
    });
  },
  { only: ['wasm'] },
);

it('the program of a worker is one that every Node compiles', () => {
  expect(() => new Function(workerSource)).not.toThrow();
});

it('a process with threads ends by itself', async () => {
  let project: NodeProject | undefined;
  try {
    project = await nodeProject(['@tensorflow/tfjs-backend-wasm']);
    const { value, status, stderr } = project.run(`
      import * as tf from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-wasm';
      import { enableWasmKernels } from './mixfold.mjs';
      await tf.setBackend('wasm');
      const { threads } = await enableWasmKernels({ threads: 3 });
      const product = tf.matMul(tf.ones([400, 400]), tf.ones([400, 400]));
      console.log(JSON.stringify([threads, product.dataSync().every((x) => x === 400)]));`);
    expect(`${status} ${stderr}`).toBe('0 ');
    expect(value).toEqual([3, true]);
  } finally {
    project?.remove();
  }
});
