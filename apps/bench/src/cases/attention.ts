import { scaledDotProductAttention, scaledDotProductAttentionOperator } from '@mixfold/mixed-product';
import { implementationOf } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { attentionRows } from '../operators/attention-reference';

const [batch, heads, time, headDim] = [1, 8, 1024, 32];
/** One product of a head's `[time, headDim]` tensors, for all heads. */
const product = 2 * batch * heads * time * time * headDim;

type Mix = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Our operator in the relaxed build against our own matrix product and against the composition of tfjs ops. */
export const attentionCase: BenchCase = {
  name: 'attention-bounds',
  about: `softmax attention: B ${batch}, H ${heads}, D ${headDim}, T ${time}; rates count 4 H T^2 D forward, 10 H T^2 D backward, causal half`,
  prepare,
};

async function prepare(): Promise<Contest> {
  const shape = [batch, heads, time, headDim];
  const inputs = [1, 2, 3].map((seed) => tf.randomNormal(shape, 0, 1, 'float32', seed));
  const dy = tf.randomNormal(shape, 0, 1, 'float32', 4);
  const [left, right] = [5, 6].map((seed) => tf.randomNormal<tf.Rank.R2>([512, 512], 0, 1, 'float32', seed)) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const mix =
    (causal: boolean): Mix =>
    (...[query, key, value]) =>
      scaledDotProductAttention(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, { causal });
  const stock: Mix = (...[query, key, value]) =>
    tf.matMul(tf.softmax(tf.mul(tf.matMul(query!, key!, false, true), headDim ** -0.5)), value!);
  const enter = () => useOurKernels('relaxed');
  await enter();
  const { form, backend, build } = implementationOf(scaledDotProductAttentionOperator, {
    query: shape,
    key: shape,
    value: shape,
  });
  const ourForm = `${form} ${backend} ${build ?? ''}`.trim();

  const forward = (call: Mix) => () => tf.tidy(() => void call(...inputs));
  const both = (call: Mix) => {
    const gradients = tf.grads(call);
    return () => tf.dispose(gradients(inputs, dy));
  };
  const stockForm = { form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels };
  const ours = (name: string, flops: number, run: () => void): Contestant => ({ name, form: ourForm, flops, enter, run });
  const contestants: Contestant[] = [
    { name: 'product', form: 'wasm relaxed', flops: 2 * 512 ** 3, enter, run: () => tf.matMul(left, right).dispose() },
    ours('forward, ours', 2 * product, forward(mix(false))),
    ours('forward + backward, ours', 7 * product, both(mix(false))),
    ours('forward, causal, ours', product, forward(mix(true))),
    ours('forward + backward, causal, ours', 3.5 * product, both(mix(true))),
    { name: 'forward, tfjs', ...stockForm, run: forward(stock) },
    { name: 'forward + backward, tfjs', ...stockForm, run: both(stock) },
  ];

  return {
    contestants,
    async check() {
      const [query, key, value, dOutput] = (await Promise.all([...inputs, dy].map((x) => x.data()))) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const sizes = { batch, heads, time, headDim };
      const expected = attentionRows(sizes, { query, key, value, bias: undefined, causal: false, dOutput });
      for (const [who, choose, call] of [['ours', enter, mix(false)] as const, ['tfjs', useStockKernels, stock] as const]) {
        await choose();
        const made = tf.valueAndGrads(call)(inputs, dy);
        const results = [made.value, ...made.grads];
        for (const [i, name] of (['output', 'dQuery', 'dKey', 'dValue'] as const).entries()) {
          assertNear(`the ${name} of ${who}`, await results[i]!.data(), expected[name], i === 0 ? 1e-6 : 5e-6);
        }
        tf.dispose(results);
      }
    },
    targets: (medians) => {
      const rate = (2 * 512 ** 3) / medians('product');
      const backward = medians('forward + backward, ours') - medians('forward, ours');
      const over = (name: string) => medians(`${name}, tfjs`) / medians(`${name}, ours`);
      const causal = (name: string) => medians(`${name}, causal, ours`) / medians(`${name}, ours`);
      return [
        { text: 'forward, of the rate of our product', value: (2 * product) / medians('forward, ours') / rate, atLeast: 0.6 },
        { text: 'backward, of the rate of our product', value: (5 * product) / backward / rate, atLeast: 0.55 },
        { text: 'forward + backward, ours over tfjs', value: over('forward + backward'), atLeast: 4 },
        { text: 'forward, causal over not', value: causal('forward'), atMost: 0.6 },
        { text: 'forward + backward, causal over not', value: causal('forward + backward'), atMost: 0.6 },
      ];
    },
    dispose: () => tf.dispose([...inputs, dy, left, right]),
  };
}
