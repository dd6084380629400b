import {
  assertClose,
  describeForms,
  expectNoLeak,
  numericalGradient,
  runConformance,
  SeededRandom,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type IstaOptions, ista } from './ista';
import { istaReference } from './reference';

describeForms('ista', { fused: [] }, (form) => {
  runConformance(form, 'ista', ({ tokens, dictionary }, attrs) =>
    ista(tokens as tf.Tensor3D, dictionary as tf.Tensor2D, attrs as IstaOptions),
  );

  test.each([
    [1, 1, 1],
    [2, 3, 2],
    [1, 5, 7],
    [3, 4, 17],
  ])('agrees with the reference, and its gradients with differences, at [%i, %i, %i]', async (batch, time, dim) => {
    const random = new SeededRandom(dim + 20);
    const [tokens, cotangent] = [random.normals([batch, time, dim]), random.normals([batch, time, dim])];
    const dictionary = random.normals([dim, dim]);
    const options = { stepSize: 0.3, threshold: -0.2 };
    const reference = (x: { tokens: ArrayLike<number>; dictionary: ArrayLike<number> }) =>
      istaReference({ ...x, dim, ...options });
    const call = (x: tf.Tensor, d: tf.Tensor) => ista(x as tf.Tensor3D, d as tf.Tensor2D, options) as tf.Tensor;
    const { value, grads } = form.run(() =>
      tf.valueAndGrads(call)([tensorOf(tokens), tensorOf(dictionary)], tensorOf(cotangent)),
    );
    const given = { tokens: tokens.data, dictionary: dictionary.data };
    await assertClose('output', value, reference(given), { relative: form.tolerance.forward, rmsFloor: 1 });
    const expected = numericalGradient((x) => reference(x as typeof given), given, { cotangent: cotangent.data });
    const rmsFloor = Math.sqrt(dim);
    await assertClose('dTokens', grads[0]!, expected.tokens!, { relative: form.tolerance.gradient, rmsFloor });
    await assertClose('dDictionary', grads[1]!, expected.dictionary!, { relative: form.tolerance.gradient, rmsFloor });
  });

  test('codes are never below 0, and a large threshold leaves none', async () => {
    const random = new SeededRandom(4);
    const [tokens, dictionary] = [tensorOf(random.normals([1, 9, 6])), tensorOf(random.normals([6, 6]))];
    const at = (threshold: number) =>
      form.run(() => ista(tokens as tf.Tensor3D, dictionary as tf.Tensor2D, { threshold })).data();
    expect((await at(0.1)).every((x) => x >= 0)).toBe(true);
    expect((await at(1e4)).every((x) => x === 0)).toBe(true);
  });

  test('an empty batch, sequence or width gives an empty result and gradients', async () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 2],
      [2, 3, 0],
    ] as [number, number, number][]) {
      const [x, d] = [tf.ones(shape), tf.ones([shape[2]!, shape[2]!])];
      const call = (a: tf.Tensor, b: tf.Tensor) => ista(a as tf.Tensor3D, b as tf.Tensor2D);
      const { value, grads } = form.run(() => tf.valueAndGrads(call)([x, d], tf.ones(shape)));
      expect([value.shape, grads[0]!.shape, grads[1]!.shape]).toEqual([shape, shape, d.shape]);
      expect((await grads[1]!.data()).every((value) => value === 0)).toBe(true);
    }
  });

  test('leaks nothing', async () => {
    const [x, d] = [tf.ones([2, 3, 4]), tf.ones([4, 4])];
    await expectNoLeak(() => form.run(() => ista(x as tf.Tensor3D, d as tf.Tensor2D)).dispose());
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (ista as (...all: unknown[]) => tf.Tensor)(...args));
    const x = tf.ones([2, 3, 4]);
    expect(() => run(x, tf.ones([4, 5]))).toThrow("ista: axis 'dim' is 4 in tokens but 5 in dictionary");
    expect(() => run(x, tf.ones([3, 3]))).toThrow("ista: axis 'dim' is 4 in tokens but 3 in dictionary");
    expect(() => run(x, tf.ones([4, 4]), { step: 1 })).toThrow(
      "ista: unknown option 'step'; the options are stepSize, threshold",
    );
    expect(() => run(x, tf.ones([4, 4]), { threshold: Number.NaN })).toThrow('ista: option threshold must be a finite number');
  });
});
