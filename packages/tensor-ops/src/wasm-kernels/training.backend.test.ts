import { assertClose, describeBackends, SeededRandom, tensorOf, testBackends, useBackend } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';

const steps = 6;
const shapes = { table: [11, 4], depthwise: [3, 3, 4, 2], filter: [3, 2, 8, 6], output: [54, 5], bias: [5] } as const;
const [batch, height, width] = [2, 6, 5];

/** One step after another of a model of plain tfjs ops: the loss before it, and the weights after it. */
async function trained(): Promise<{ loss: number; weights: number[][] }[]> {
  const random = new SeededRandom(8);
  const draw = (shape: readonly number[]) => tensorOf(random.normals(shape, 0.4));
  const weights = Object.values(shapes).map((shape) => {
    const initial = draw(shape);
    const variable = tf.variable(initial);
    initial.dispose();
    return variable;
  });
  const ids = tf.tensor2d(
    Array.from({ length: batch * height * width }, () => random.integer(11)),
    [batch, height * width],
    'int32',
  );
  const targets = tf.oneHot(tf.tensor1d([1, 4], 'int32'), 5);
  const optimizer = tf.train.sgd(0.1);
  const loss = () => {
    const [table, depthwise, filter, output, bias] = weights as tf.Tensor[];
    const x = tf.reshape(tf.gather(table!, ids), [batch, height, width, 4]) as tf.Tensor4D;
    const spread = tf.tanh(tf.depthwiseConv2d(x, depthwise as tf.Tensor4D, 1, 'same'));
    const pooled = tf.erf(tf.conv2d(spread, filter as tf.Tensor4D, 2, 'same'));
    const logits = tf.add(tf.matMul(tf.reshape(pooled, [batch, 54]) as tf.Tensor2D, output as tf.Tensor2D), bias!);
    const surprise = tf.neg(tf.sum(tf.mul(targets, tf.log(tf.softmax(logits)))));
    return tf.add(surprise, tf.mul(1e-3, tf.sum(tf.exp(tf.einsum('tc,uc->tu', table!, table!))))) as tf.Scalar;
  };
  const made = [];
  for (let step = 0; step < steps; step++) {
    const value = optimizer.minimize(loss, true, weights)!;
    made.push({ loss: value.dataSync()[0]!, weights: weights.map((weight) => Array.from(weight.dataSync())) });
    value.dispose();
  }
  tf.dispose([weights, ids, targets]);
  optimizer.dispose();
  return made;
}

/** In Node; a browser's tests have no cpu backend. */
const cpu = testBackends.find(({ name }) => name === 'cpu');

describeBackends(
  'training by tfjs with our kernels',
  ({ label }) => {
    let report: WasmReport;
    let expected: Awaited<ReturnType<typeof trained>>;
    beforeAll(async () => {
      // While ours are enabled tf.einsum has a gradient on every backend.
      report = await enableWasmKernels();
      if (cpu === undefined) return;
      await useBackend(cpu);
      expected = await trained();
      await useBackend(testBackends.find((backend) => backend.label === label)!);
    });
    afterAll(() => report.restore());

    if (cpu) {
      it('agrees with the cpu backend step by step', async () => {
        const actual = await trained();
        for (const [step, { loss, weights }] of actual.entries()) {
          await assertClose(`loss of step ${step}`, [loss], [expected[step]!.loss], { relative: 1e-5 });
          for (const [i, name] of Object.keys(shapes).entries()) {
            await assertClose(`${name} after step ${step}`, weights[i]!, expected[step]!.weights[i]!, { relative: 1e-5 });
          }
        }
        expect(actual.at(-1)!.loss).toBeLessThan(0.9 * actual[0]!.loss);
      });
    }

    it('gives the same bits again', async () => {
      expect(await trained()).toEqual(await trained());
    });
  },
  { only: ['wasm'] },
);
