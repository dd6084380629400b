import { aftSimple, aftSimpleCausalOperator, aftSimpleOperator } from '@mixfold/aft';
import { implementationOf } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { stockAftSimple, stockCausalAftSimple } from './stock-aft-simple';

const [batch, time, dim] = [1, 1024, 256];

type Mix = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) => tf.Tensor;

/** Our operator in the relaxed build against the composition of tfjs ops, forward and with the gradients of all three inputs. */
export function aftSimpleCase(causal: boolean): BenchCase {
  return {
    name: causal ? 'aft-simple-causal' : 'aft-simple',
    about: `AFT-simple${causal ? ', causal' : ''}: B ${batch}, T ${time}, d ${dim}`,
    prepare: () => prepare(causal),
  };
}

async function prepare(causal: boolean): Promise<Contest> {
  const inputs = [1, 2, 3].map((seed) => tf.randomNormal<tf.Rank.R3>([batch, time, dim], 0, 1, 'float32', seed));
  const dy = tf.randomNormal([batch, time, dim], 0, 1, 'float32', 4);
  const [query, key, value] = inputs as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const shape = { query: query.shape, key: key.shape, value: value.shape };

  const ours: Mix = (q, k, v) => aftSimple(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { causal });
  const stock: Mix = causal ? stockCausalAftSimple : stockAftSimple;
  await useOurKernels('relaxed');
  const { form, backend, build } = implementationOf(causal ? aftSimpleCausalOperator : aftSimpleOperator, shape);
  const enterOurs = () => useOurKernels('relaxed');
  const ourForm = `${form} ${backend} ${build ?? ''}`.trim();

  const forward = (mix: Mix) => () => tf.tidy(() => void mix(query, key, value));
  const both = (mix: Mix) => {
    const gradients = tf.grads(mix as (...args: tf.Tensor[]) => tf.Tensor);
    return () => tf.dispose(gradients(inputs, dy));
  };
  const contestants: Contestant[] = [
    { name: 'forward, ours', form: ourForm, enter: enterOurs, run: forward(ours) },
    { name: 'forward, tfjs', form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels, run: forward(stock) },
    { name: 'forward + backward, ours', form: ourForm, enter: enterOurs, run: both(ours) },
    { name: 'forward + backward, tfjs', form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels, run: both(stock) },
  ];

  return {
    contestants,
    async check() {
      const expected = reference(await Promise.all([...inputs, dy].map((tensor) => tensor.data())), causal);
      for (const [who, enter, mix] of [['ours', enterOurs, ours] as const, ['tfjs', useStockKernels, stock] as const]) {
        await enter();
        const results = [mix(query, key, value), ...tf.grads(mix as (...args: tf.Tensor[]) => tf.Tensor)(inputs, dy)];
        for (const [i, name] of ['output', 'query gradient', 'key gradient', 'value gradient'].entries()) {
          assertNear(`the ${name} of ${who}`, await results[i]!.data(), expected[i]!, i === 0 ? 1e-6 : 5e-6);
        }
        tf.dispose(results);
      }
    },
    targets: (medians) => [
      { text: 'forward, ours over tfjs', value: medians('forward, tfjs') / medians('forward, ours'), atLeast: 8 },
      {
        text: 'forward + backward, ours over tfjs',
        value: medians('forward + backward, tfjs') / medians('forward + backward, ours'),
        atLeast: 10,
      },
    ],
    dispose: () => tf.dispose([...inputs, dy]),
  };
}

/** Output and the three gradients in float64, channel by channel. */
function reference([q, k, v, dy]: ArrayLike<number>[], causal: boolean): Float64Array[] {
  const [output, dq, dk, dv] = [0, 1, 2, 3].map(() => new Float64Array(time * dim)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let c = 0; c < dim; c++) {
    const at = (t: number) => t * dim + c;
    const weight = Float64Array.from({ length: time }, (_, t) => Math.exp(k![at(t)]!));
    const [mixed, share] = [new Float64Array(time), new Float64Array(time)];
    let [sum, norm] = [0, 0];
    const take = (t: number) => {
      sum += weight[t]! * v![at(t)]!;
      norm += weight[t]!;
    };
    if (!causal) for (let t = 0; t < time; t++) take(t);
    for (let t = 0; t < time; t++) {
      if (causal) take(t);
      const gate = 1 / (1 + Math.exp(-q![at(t)]!));
      mixed[t] = sum / norm;
      output[at(t)] = gate * mixed[t]!;
      dq[at(t)] = dy![at(t)]! * gate * (1 - gate) * mixed[t]!;
      share[t] = (dy![at(t)]! * gate) / norm;
    }
    // d/dk_s = e^k_s sum over the targets t of share_t (v_s - mixed_t), d/dv_s = e^k_s sum of share_t; causal: t >= s.
    let [shares, shareMixed] = [0, 0];
    const give = (t: number) => {
      shares += share[t]!;
      shareMixed += share[t]! * mixed[t]!;
    };
    if (!causal) for (let t = 0; t < time; t++) give(t);
    for (let s = time - 1; s >= 0; s--) {
      if (causal) give(s);
      dv[at(s)] = weight[s]! * shares;
      dk[at(s)] = weight[s]! * (v![at(s)]! * shares - shareMixed);
    }
  }
  return [output, dq, dk, dv];
}
