import type { WasmBackend, WasmBuild } from '@mixfold/tensor-ops';
import { tensorPointer } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { againstStock, backward, type Pair } from './against-stock';

const [rows, width] = [512, 512];
const elements = rows * width;

/** tfjs's own ops with `enableWasmKernels` against without, and the cost of exp beside that of a copy. */
export function tfjsKernelsCase(build: WasmBuild): BenchCase {
  return {
    name: `tfjs-kernels-${build}`,
    about: `tfjs's ops on [${rows}, ${width}] unless told, enableWasmKernels against none, ${build}`,
    async prepare() {
      const inputs: tf.Tensor[] = [];
      const normal = <T extends tf.Tensor>(...shape: number[]): T => {
        inputs.push(tf.randomNormal(shape, 0, 1, 'float32', inputs.length + 1));
        return inputs.at(-1) as T;
      };
      const op = (name: string, run: () => tf.Tensor | tf.Tensor[], more: Partial<Pair> = {}): Pair => ({
        name,
        ours: run,
        stock: run,
        ...more,
      });
      const x = normal(rows, width);
      const heads = normal(8, 64, 4, 32);
      const cube = normal(32, 128, 64);
      const image = normal<tf.Tensor4D>(4, 28, 28, 32);
      const filter = normal<tf.Tensor4D>(3, 3, 32, 32);
      const dy = normal(4, 28, 28, 32);
      const indices = tf.tensor1d(
        Array.from({ length: 512 }, (_, i) => (i * 7919) % rows),
        'int32',
      );
      const target = normal(rows, width);
      // Of numbers of one sign, for the rounding of tfjs's long sums is all that is left of others.
      const positive = tf.randomUniform([rows, width], 0, 1, 'float32', 1);
      inputs.push(positive);
      inputs.push(indices);
      const pairs = [
        op('exp', () => tf.exp(x), { atLeast: 4 }),
        op('tanh', () => tf.tanh(x), { atLeast: 4 }),
        op('erf', () => tf.erf(x), { atLeast: 1 }),
        op('softmax', () => tf.softmax(x)),
        op('softmax over 64', () => tf.softmax(cube)),
        op('sum over the first axis', () => tf.sum(positive, 0), { atLeast: 4 }),
        op('sum over the last axis', () => tf.sum(positive, 1)),
        op('sum over all', () => tf.sum(positive), { bound: 1e-3 }),
        op('sum over the middle axis of [32, 128, 64]', () => tf.sum(cube, 1)),
        op('transpose', () => tf.transpose(x)),
        op('transpose [8, 64, 4, 32] by heads', () => tf.transpose(heads, [0, 2, 1, 3])),
        op('transpose [32, 128, 64] reversed', () => tf.transpose(cube, [2, 1, 0])),
        op('clone', () => tf.clone(x)),
        op('slice of half the columns', () => tf.slice(x, [0, 128], [rows, 256])),
        op('slice of 16 rows', () => tf.slice(x, [100, 0], [16, width])),
        op('gather of 512 rows', () => tf.gather(x, indices)),
        op(
          'gradient of a convolution in x, 3 x 3, [4, 28, 28, 32] to 32',
          backward((a) => tf.conv2d(a as tf.Tensor4D, filter, 1, 'same'), [image], dy),
        ),
      ];
      const contest = againstStock(build, inputs, pairs);
      const backend = tf.backend() as unknown as WasmBackend;
      const copy = () => {
        const from = tensorPointer(backend, x);
        backend.wasm.HEAPU8.copyWithin(tensorPointer(backend, target), from, from + 4 * elements);
      };
      return {
        ...contest,
        contestants: [...contest.contestants, { name: 'copy', form: 'the engine', enter: () => useOurKernels(build), run: copy }],
        targets(medians) {
          const perElement = (name: string) => (medians(name) * 1e6) / elements;
          return [
            ...contest.targets(medians),
            { text: 'exp, ns per element', value: perElement('exp, ours'), atMost: 1.3 },
            { text: 'copy, ns per element (where exp is to keep its bound)', value: perElement('copy'), atMost: 0.3 },
          ];
        },
      };
    },
  };
}
