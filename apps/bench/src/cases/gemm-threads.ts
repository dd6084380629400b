import { setTimeout as sleep } from 'node:timers/promises';
import type { WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Contest } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';

const size = 1024;
/** A worker that was told to end takes a processor for so long. */
const settleMs = 30;
const flops = 2 * size ** 3;
const names = { 1: 'one thread', 2: 'two threads' } as const;
const builds: readonly WasmBuild[] = ['simd128', 'relaxed'];

const contestants = (run: () => void) =>
  builds.flatMap((build) =>
    ([1, 2] as const).map((threads) => ({
      name: `${build}, ${names[threads]}`,
      form: `wasm ${build}`,
      flops,
      // Both by the clock: they are compared.
      threaded: true,
      async enter() {
        // Threads start and end with every turn: the old ones are to be gone, and the memory of the new to be there, before the time is taken.
        await useOurKernels(build, threads);
        run();
        await sleep(settleMs);
        run();
      },
      run,
    })),
  );

/** The product of 1024 x 1024 matrices on two threads against one, copies included. */
export const gemmThreadsCase: BenchCase = {
  name: 'gemm-threads',
  about: `matrix product ${size}^3 on one thread and on two`,
  async prepare(): Promise<Contest> {
    const [a, b] = [
      tf.randomNormal([size, size], 0, 1, 'float32', 1) as tf.Tensor2D,
      tf.randomNormal([size, size], 0, 1, 'float32', 2) as tf.Tensor2D,
    ];
    return {
      contestants: contestants(() => tf.matMul(a, b).dispose()),
      async check() {
        for (const build of builds) {
          const results = [];
          for (const threads of [1, 2]) {
            await useOurKernels(build, threads);
            const product = tf.matMul(a, b);
            results.push(product.dataSync().slice());
            product.dispose();
          }
          const [one, two] = results as [Float32Array, Float32Array];
          if (one.some((x, i) => !Object.is(x, two[i]))) throw new Error(`two threads give other bits than one (${build})`);
        }
      },
      targets: (medians) =>
        builds.map((build) => ({
          text: `${build}, two threads over one`,
          value: medians(`${build}, ${names[1]}`) / medians(`${build}, ${names[2]}`),
          atLeast: 1.7,
        })),
      dispose: () => tf.dispose([a, b]),
    };
  },
};
