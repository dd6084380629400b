import {
  cumulativeSum,
  depthwiseConv1d,
  depthwiseConv2d,
  dropout,
  embedding,
  gelu,
  layerNorm,
  logSumExp,
  matMul,
  rmsNorm,
  rotaryEmbedding,
  softmax,
  softmaxCrossEntropy,
  type WasmBuild,
} from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase } from '../bench-case';
import { againstStock, backward, type Pair } from './against-stock';
import * as stock from './stock-primitives';

const [rows, width] = [1024, 512];

/** Every fused primitive against its counterpart in tfjs, or what a user composes of its ops; with gradients where tfjs has them on WASM. */
export function primitivesCase(build: WasmBuild): BenchCase {
  return {
    name: `primitives-${build}`,
    about: `fused primitives, [${rows}, ${width}] unless told, ${build}`,
    async prepare() {
      const inputs: tf.Tensor[] = [];
      const normal = <T extends tf.Tensor>(...shape: number[]): T => {
        inputs.push(tf.randomNormal(shape, 0, 1, 'float32', inputs.length + 1));
        return inputs.at(-1) as T;
      };
      const integers = (count: number, below: number) => {
        inputs.push(
          tf.tensor1d(
            Array.from({ length: count }, (_, i) => (i * 7919) % below),
            'int32',
          ),
        );
        return inputs.at(-1) as tf.Tensor1D;
      };
      const pairs: Pair[] = [];
      /** Forward, and with the gradients in all of `tensors` if there is a `dy`. */
      const add = (
        name: string,
        [ours, theirs]: [ours: (...inputs: never[]) => tf.Tensor, stock: (...inputs: never[]) => tf.Tensor],
        tensors: tf.Tensor[],
        dy?: tf.Tensor,
        bounds: Pick<Pair, 'atLeast' | 'bound'> & { readonly bothAtLeast?: number } = {},
      ) => {
        const [mine, other] = [ours, theirs] as ((...inputs: tf.Tensor[]) => tf.Tensor)[] as [Run, Run];
        const { bothAtLeast, ...common } = bounds;
        const forward = (run: Run) => () => tf.tidy(() => run(...tensors));
        pairs.push({ name, ours: forward(mine), stock: forward(other), ...common });
        if (!dy) return;
        const both = { ours: backward(mine, tensors, dy), stock: backward(other, tensors, dy) };
        pairs.push({ name: `${name} + backward`, ...both, ...common, atLeast: bothAtLeast ?? common.atLeast ?? 1 });
      };

      const x = normal(rows, width);
      const dy = normal(rows, width);
      const perRow = normal(rows);
      const gain = normal<tf.Tensor1D>(width);
      const bias = normal<tf.Tensor1D>(width);
      add('softmax', [(a: tf.Tensor) => softmax(a), (a: tf.Tensor) => tf.softmax(a)], [x], dy);
      add('logSumExp', [(a: tf.Tensor) => logSumExp(a), (a: tf.Tensor) => tf.logSumExp(a, -1)], [x], perRow);
      add('layerNorm', [layerNorm, stock.layerNorm], [x, gain, bias], dy, { bothAtLeast: 4 });
      add('rmsNorm', [rmsNorm, stock.rmsNorm], [x, gain], dy);
      add('gelu', [(a: tf.Tensor) => gelu(a), stock.gelu], [x], dy);
      add('gelu, tanh form', [(a: tf.Tensor) => gelu(a, { approximate: 'tanh' }), stock.geluTanh], [x], dy);
      const labels = integers(rows, width);
      const targets = tf.oneHot(labels, width);
      inputs.push(targets);
      const one = tf.scalar(1);
      inputs.push(one);
      const losses: Losses = [(a) => softmaxCrossEntropy(a, labels), (a) => stock.softmaxCrossEntropy(a, targets)];
      add('softmaxCrossEntropy', losses, [x], one);
      const table = normal<tf.Tensor2D>(4096, 256);
      const ids = integers(1024, 4096);
      add('embedding of 1024 rows of 256', [() => embedding(table, ids), () => tf.gather(table, ids)], []);
      add('cumulativeSum', [(a: tf.Tensor) => cumulativeSum(a, 1), (a: tf.Tensor) => tf.cumsum(a, 1)], [x], dy);
      const sequence = normal<tf.Tensor3D>(2, 512, 512);
      for (const taps of [4, 9]) {
        const kernel = normal<tf.Tensor2D>(taps, 512);
        const convolutions: [() => tf.Tensor, () => tf.Tensor] = [
          () => depthwiseConv1d(sequence, kernel),
          () => stock.depthwiseConv1d(sequence, kernel),
        ];
        add(`depthwiseConv1d, ${taps} taps, [2, 512, 512]`, convolutions, []);
      }
      const image = normal<tf.Tensor4D>(2, 28, 28, 96);
      const kernel = normal<tf.Tensor3D>(3, 3, 96);
      const planar: [() => tf.Tensor, () => tf.Tensor] = [
        () => depthwiseConv2d(image, kernel),
        () => stock.depthwiseConv2d(image, kernel),
      ];
      add('depthwiseConv2d, 3 x 3, [2, 28, 28, 96]', planar, []);
      const drops: Losses = [(a) => dropout(a, { rate: 0.1, seed: 1 }), (a) => tf.dropout(a, 0.1, undefined, 1)];
      const ones = tf.ones([rows, width]);
      inputs.push(ones);
      add('dropout', drops, [ones], ones, { bound: 'means' });
      const heads = normal<tf.Tensor4D>(2, 8, 256, 64);
      const dHeads = normal<tf.Tensor4D>(2, 8, 256, 64);
      const angles = stock.rotaryTables(256, 64);
      inputs.push(...angles);
      const turns: Losses = [
        (a) => rotaryEmbedding(a as tf.Tensor4D, { pairing: 'halves' }),
        (a) => stock.rotaryEmbedding(a, ...angles),
      ];
      add('rotaryEmbedding, [2, 8, 256, 64]', turns, [heads], dHeads);
      const [a, b, dProduct] = [normal(256, 256), normal(256, 256), normal(256, 256)];
      add(
        'matMul 256^3',
        [(p: tf.Tensor, q: tf.Tensor) => matMul(p, q), (p: tf.Tensor, q: tf.Tensor) => tf.matMul(p, q)],
        [a, b],
        dProduct,
      );
      return againstStock(build, inputs, pairs);
    },
  };
}

type Run = (...inputs: tf.Tensor[]) => tf.Tensor;
type Losses = [(x: tf.Tensor) => tf.Tensor, (x: tf.Tensor) => tf.Tensor];
