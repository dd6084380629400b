import { aftFull, aftFullFallback, aftFullOperator } from '@mixfold/aft';
import { implementationOf } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { aftFullReference } from '../operators/aft-full-reference';
import { stockAftFull } from './stock-aft-full';

const [time, dim] = [1024, 256];
const product = 2 * time * time * dim;

type Mix = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Our operator in the relaxed build against our own matrix product and against the composition of tfjs ops. */
export const aftFullCase: BenchCase = {
  name: 'aft-full-bounds',
  about: `AFT-full, dense bias: B 1, T ${time}, d ${dim}; rates count 4 T^2 d forward, 8 T^2 d backward`,
  prepare,
};

async function prepare(): Promise<Contest> {
  const inputs = [1, 2, 3].map((seed) => tf.randomNormal([1, time, dim], 0, 1, 'float32', seed));
  inputs.push(tf.randomNormal([time, time], 0, 1, 'float32', 4));
  const dy = tf.randomNormal([1, time, dim], 0, 1, 'float32', 5);
  // tfjs's composition works on matrices; a batch of one is one.
  const flat = [...inputs.slice(0, 3), dy].map((x) => tf.reshape(x, [time, dim]));
  const matrices = [...flat.slice(0, 3), inputs[3]!];
  const [left, right] = [tf.randomNormal([time, time], 0, 1, 'float32', 6), tf.randomNormal([time, 2 * dim], 0, 1, 'float32', 7)];

  const ours: Mix = (...[query, key, value, bias]) =>
    aftFull(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, bias as tf.Tensor2D);
  const causal: Mix = (...[query, key, value, bias]) =>
    aftFull(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, bias as tf.Tensor2D, { causal: true });
  const stock: Mix = (...[query, key, value, bias]) => stockAftFull(query!, key!, value!, bias!);
  await useOurKernels('relaxed');
  const shapes = { query: [1, time, dim], key: [1, time, dim], value: [1, time, dim], positionBias: [time, time] };
  const { form, backend, build } = implementationOf(aftFullOperator, shapes);
  const enter = () => useOurKernels('relaxed');
  const ourForm = `${form} ${backend} ${build ?? ''}`.trim();

  const forward = (mix: Mix, given: tf.Tensor[]) => () => tf.tidy(() => void mix(...given));
  const both = (mix: Mix, given: tf.Tensor[], received: tf.Tensor) => {
    const gradients = tf.grads(mix);
    return () => tf.dispose(gradients(given, received));
  };
  const stockForm = { form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels };
  const contestants: Contestant[] = [
    { name: 'product', form: 'wasm relaxed', flops: 2 * product, enter, run: () => tf.matMul(left, right).dispose() },
    { name: 'forward, ours', form: ourForm, flops: 2 * product, enter, run: forward(ours, inputs) },
    { name: 'forward + backward, ours', form: ourForm, flops: 6 * product, enter, run: both(ours, inputs, dy) },
    { name: 'forward, causal, ours', form: ourForm, flops: product, enter, run: forward(causal, inputs) },
    { name: 'forward + backward, causal, ours', form: ourForm, flops: 3 * product, enter, run: both(causal, inputs, dy) },
    { name: 'forward, tfjs', ...stockForm, run: forward(stock, matrices) },
    { name: 'forward + backward, tfjs', ...stockForm, run: both(stock, matrices, flat[3]!) },
  ];

  return {
    contestants,
    async check() {
      const expected = aftFullReference({ batch: 1, time, dim }, await Promise.all([...inputs, dy].map((x) => x.data())));
      const names = ['output', 'query gradient', 'key gradient', 'value gradient', 'bias gradient'];
      for (const [who, choose, mix, given, received] of [
        ['ours', enter, ours, inputs, dy] as const,
        ['tfjs', useStockKernels, stock, matrices, flat[3]!] as const,
      ]) {
        await choose();
        const { value, grads } = tf.valueAndGrads(mix)([...given], received);
        const results = [value, ...grads];
        for (const [i, name] of names.entries()) {
          assertNear(`the ${name} of ${who}`, await results[i]!.data(), expected[i]!, i === 0 ? 1e-6 : 5e-6);
        }
        tf.dispose(results);
      }
      aftFullFallback();
    },
    targets: (medians) => {
      const rate = (name: string, flops: number) => flops / medians(name);
      const backward = medians('forward + backward, ours') - medians('forward, ours');
      const { elements, redone } = aftFullFallback();
      return [
        { text: 'forward, of the rate of our product', value: rate('forward, ours', 2) / rate('product', 2), atLeast: 0.85 },
        { text: 'backward, of the rate of our product', value: 4 / backward / rate('product', 2), atLeast: 0.75 },
        { text: 'forward, ours over tfjs', value: medians('forward, tfjs') / medians('forward, ours'), atLeast: 1.8 },
        {
          text: 'forward + backward, ours over tfjs',
          value: medians('forward + backward, tfjs') / medians('forward + backward, ours'),
          atLeast: 10,
        },
        { text: 'forward, causal over not', value: medians('forward, causal, ours') / medians('forward, ours'), atMost: 0.8 },
        { text: 'share of elements computed directly', value: redone / elements, atMost: 0.001 },
      ];
    },
    dispose: () => tf.dispose([...inputs, dy, ...flat, left, right]),
  };
}
