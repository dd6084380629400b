import { scaledDotProductAttention } from '@mixfold/mixed-product';
import { mssa, mssaOperator } from '@mixfold/subspace-attention';
import { implementationOf, matMul } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { mssaCases } from '../operators/mssa';
import { mssaRows } from '../operators/mssa-reference';

const sizes = { batch: 1, tokens: 1024, dim: 256, heads: 8, headDim: 32 };
const { batch, tokens: time, dim, heads, headDim } = sizes;
const [tied] = mssaCases;

type Layer = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Our operator in the relaxed build against our own matrix product, multi-head attention of the same heads, and the composition of tfjs ops. */
export const mssaBoundsCase: BenchCase = {
  name: 'mssa-bounds',
  about: `subspace attention, tied: B ${batch}, N ${time}, d ${dim}, ${heads} heads of ${headDim}; rates count 4 N d h p + 4 h N^2 p forward, 8 N d h p + 10 h N^2 p backward`,
  onlyFull: true,
  prepare,
};

const normal = (shape: number[], seed: number, deviation = 1) => tf.randomNormal(shape, 0, deviation, 'float32', seed);

const byHeads = (x: tf.Tensor) => tf.transpose(tf.reshape(x, [batch, time, heads, headDim]), [0, 2, 1, 3]) as tf.Tensor4D;

/** Multi-head attention with a projection each for queries, keys, values and output. */
const multiHead: Layer = (x, ...weights) => {
  const [query, key, value] = weights.slice(0, 3).map((weight) => byHeads(matMul(x!, weight)));
  const mixed = tf.transpose(scaledDotProductAttention(query!, key!, value!), [0, 2, 1, 3]);
  return matMul(tf.reshape(mixed, [batch, time, heads * headDim]), weights[3]!);
};

const ours: Layer = (x, subspaces) => mssa(x as tf.Tensor3D, subspaces as tf.Tensor3D);
const stock: Layer = (tokens, subspaces) => tied!.peers!.tfjs!({ tokens: tokens!, subspaces: subspaces! }, sizes) as tf.Tensor;

async function prepare(): Promise<Contest> {
  const inputs = [normal([batch, time, dim], 1), normal([heads, dim, headDim], 2, dim ** -0.5)];
  const weights = [4, 5, 6, 7].map((seed) => normal([dim, dim], seed, dim ** -0.5));
  const dy = normal([batch, time, dim], 3);
  const [left, right] = [8, 9].map((seed) => normal([512, 512], seed)) as [tf.Tensor2D, tf.Tensor2D];
  const enter = () => useOurKernels('relaxed');
  await enter();
  const shapes = { tokens: inputs[0]!.shape, subspaces: inputs[1]!.shape };
  const { form, backend, build } = implementationOf(mssaOperator, shapes);

  const forward = (call: Layer, given: tf.Tensor[]) => () => tf.tidy(() => void call(...given));
  const both = (call: Layer, given: tf.Tensor[]) => {
    const gradients = tf.grads(call);
    return () => tf.dispose(gradients(given, dy));
  };
  const flops = tied!.flops!(sizes);
  const own = (name: string, count: number, run: () => void): Contestant => {
    return { name, form: `${form} ${backend} ${build ?? ''}`.trim(), flops: count, enter, run };
  };
  const stockForm = { form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels };
  const contestants: Contestant[] = [
    { name: 'product', form: 'wasm relaxed', flops: 2 * 512 ** 3, enter, run: () => tf.matMul(left, right).dispose() },
    own('forward, ours', flops.forward, forward(ours, inputs)),
    own('forward + backward, ours', flops.both, both(ours, inputs)),
    { name: 'forward + backward, multi-head', form: 'wasm relaxed', enter, run: both(multiHead, [inputs[0]!, ...weights]) },
    { name: 'forward, tfjs', ...stockForm, run: forward(stock, inputs) },
    { name: 'forward + backward, tfjs', ...stockForm, run: both(stock, inputs) },
  ];

  return {
    contestants,
    async check() {
      const [tokens, subspaces, dOutput] = (await Promise.all([...inputs, dy].map((x) => x.data()))) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const expected = mssaRows(sizes, { tokens, subspaces, output: undefined, causal: false, dOutput });
      for (const [who, choose, call] of [['ours', enter, ours] as const, ['tfjs', useStockKernels, stock] as const]) {
        await choose();
        const results = [call(...inputs), ...tf.grads(call)(inputs, dy)];
        for (const [i, name] of (['denoised', 'dTokens', 'dSubspaces'] as const).entries()) {
          assertNear(`the ${name} of ${who}`, await results[i]!.data(), expected[name], i === 0 ? 1e-6 : 5e-6);
        }
        tf.dispose(results);
      }
    },
    targets: (medians) => {
      const rate = (2 * 512 ** 3) / medians('product');
      const backward = medians('forward + backward, ours') - medians('forward, ours');
      const over = (name: string) => medians(name) / medians('forward + backward, ours');
      return [
        { text: 'forward, of the rate of our product', value: flops.forward / medians('forward, ours') / rate, atLeast: 0.6 },
        { text: 'backward, of the rate of our product', value: (flops.both - flops.forward) / backward / rate, atLeast: 0.55 },
        { text: 'forward + backward, multi-head over ours', value: over('forward + backward, multi-head'), atLeast: 1.3 },
        { text: 'forward, tfjs over ours', value: medians('forward, tfjs') / medians('forward, ours'), atLeast: 4 },
        { text: 'forward + backward, tfjs over ours', value: over('forward + backward, tfjs'), atLeast: 4 },
      ];
    },
    dispose: () => tf.dispose([...inputs, ...weights, dy, left, right]),
  };
}
