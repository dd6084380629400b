import { assertClose, describeBackends, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { test } from 'vitest';
import { columnSum } from './column-sum';
import { gelu } from './gelu';
import { layerNorm } from './layer-norm';
import { recencyKey } from './recency-key';
import { softmaxCrossEntropy } from './softmax-cross-entropy';

const [ROWS, DIM] = [6, 5];

const layerNormReference = (x: ArrayLike<number>, gain: ArrayLike<number>): number[] =>
  Array.from({ length: ROWS }, (_, row) => Array.from({ length: DIM }, (_, i) => x[row * DIM + i]!)).flatMap((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / DIM;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / DIM;
    return values.map((value, i) => (gain[i]! * (value - mean)) / Math.sqrt(variance + 1e-5));
  });

const geluReference = (x: ArrayLike<number>): number[] =>
  Array.from(x, (value) => 0.5 * value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3))));

const recencyReference = (key: ArrayLike<number>, slope: ArrayLike<number>): number[] =>
  Array.from(key, (value, i) => value + slope[i % DIM]! * ((Math.floor(i / DIM) % 3) - 2));

const crossEntropyReference = (logits: ArrayLike<number>, labels: readonly number[]): number =>
  labels.reduce((sum, label, row) => {
    const values = Array.from({ length: DIM }, (_, i) => logits[row * DIM + i]!);
    const largest = Math.max(...values);
    return sum + largest + Math.log(values.reduce((total, value) => total + Math.exp(value - largest), 0)) - values[label]!;
  }, 0) / labels.length;

describeBackends('parts of the models', (backend) => {
  const random = new SeededRandom(5);
  const [x, row, cotangent] = [random.normals([ROWS, DIM]), random.normals([DIM]), random.normals([ROWS, DIM])];
  const { forward, gradient } = backend.tolerance;

  test('layerNorm', async () => {
    const f = (a: tf.Tensor, b: tf.Tensor) => layerNorm(a as tf.Tensor2D, b as tf.Tensor1D);
    await assertClose('output', f(tensorOf(x), tensorOf(row)), layerNormReference(x.data, row.data), { relative: forward });
    const exact = numericalGradient(
      ({ a, b }) => layerNormReference(a, b),
      { a: x.data, b: row.data },
      { cotangent: cotangent.data },
    );
    const [dx, dGain] = tf.grads(f)([tensorOf(x), tensorOf(row)], tensorOf(cotangent));
    await assertClose('dx', dx!, exact.a!, { relative: gradient });
    await assertClose('dGain', dGain!, exact.b!, { relative: gradient });
  });

  test('gelu, and its limits', async () => {
    const f = (a: tf.Tensor) => gelu(a as tf.Tensor2D);
    await assertClose('output', f(tensorOf(x)), geluReference(x.data), { relative: forward });
    const exact = numericalGradient(({ a }) => geluReference(a), { a: x.data }, { cotangent: cotangent.data });
    await assertClose('dx', tf.grad(f)(tensorOf(x), tensorOf(cotangent)), exact.a!, { relative: gradient });
    await assertClose('far out', f(tf.tensor2d([[-1e4, -30, 0, 30, 1e4]])), [0, 0, 0, 30, 1e4], { relative: forward });
  });

  test('recencyKey', async () => {
    const f = (a: tf.Tensor, b: tf.Tensor) => recencyKey(a as tf.Tensor2D, b as tf.Tensor1D, [-2, -1, 0]);
    await assertClose('output', f(tensorOf(x), tensorOf(row)), recencyReference(x.data, row.data), { relative: forward });
    const exact = numericalGradient(
      ({ a, b }) => recencyReference(a, b),
      { a: x.data, b: row.data },
      { cotangent: cotangent.data },
    );
    const [dKey, dSlope] = tf.grads(f)([tensorOf(x), tensorOf(row)], tensorOf(cotangent));
    await assertClose('dKey', dKey!, exact.a!, { relative: gradient });
    await assertClose('dSlope', dSlope!, exact.b!, { relative: gradient });
  });

  test('softmaxCrossEntropy, also for logits far apart', async () => {
    const labels = [0, 4, 2, 2, 1, 3];
    const f = (a: tf.Tensor) => softmaxCrossEntropy(a as tf.Tensor2D, tf.tensor1d(labels, 'int32'));
    await assertClose('loss', f(tensorOf(x)), [crossEntropyReference(x.data, labels)], { relative: forward });
    const exact = numericalGradient(({ a }) => crossEntropyReference(a, labels), { a: x.data });
    await assertClose('dLogits', tf.grad(f)(tensorOf(x)), exact.a!, { relative: gradient });
    const far = softmaxCrossEntropy(tf.tensor2d([[1000, 0, -1000]]), tf.tensor1d([1], 'int32'));
    await assertClose('far apart', far, [1000], { relative: forward });
  });

  test('columnSum', async () => {
    const sums = Array.from({ length: DIM }, (_, i) =>
      Array.from({ length: ROWS }, (_, r) => x.data[r * DIM + i]!).reduce((a, b) => a + b),
    );
    await assertClose('sums', columnSum(tensorOf(x) as tf.Tensor2D), sums, { relative: forward });
  });
});
