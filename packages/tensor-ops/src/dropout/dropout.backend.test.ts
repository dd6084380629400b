import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DropoutOptions, dropout } from './dropout';
import { dropoutReference } from './reference';

describeForms('dropout', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each([
    [[1], 0.5, 1],
    [[7], 0, 2],
    [[2, 3, 5], 0.1, 3],
    [[1031], 0.25, 2 ** 32 + 7],
    [[64, 65], 0.9, 2 ** 53 - 1],
  ])('agrees with the reference, gradient too: %s, rate %f, seed %d', async (shape, rate, seed) => {
    const random = new SeededRandom(1);
    const [x, cotangent] = [random.normals(shape), random.normals(shape)];
    const call = (input: tf.Tensor) => dropout(input, { rate, seed });
    const { value, grad } = form.run(() => tf.valueAndGrad(call)(tensorOf(x), tensorOf(cotangent)));
    await assertClose(
      'output',
      value,
      { shape, data: dropoutReference(x.data, rate, seed) },
      { relative: form.tolerance.forward },
    );
    const dX = dropoutReference(cotangent.data, rate, seed);
    await assertClose('dX', grad, { shape, data: dX }, { relative: form.tolerance.gradient });
  });

  test('has the gradient of central differences', async () => {
    const random = new SeededRandom(2);
    const [x, cotangent] = [random.normals([19]), random.normals([19])];
    const expected = numericalGradient((at) => dropoutReference(at.x, 0.4, 5), { x: x.data }, { cotangent: cotangent.data });
    const dX = form.run(() => tf.grad((y: tf.Tensor) => dropout(y, { rate: 0.4, seed: 5 }))(tensorOf(x), tensorOf(cotangent)));
    await assertClose('dX', dX, expected.x!, { relative: form.tolerance.gradient });
  });

  test('drops the share it should, each seed other elements', async () => {
    const drawn = fc.record({ seed: fc.nat(), rate: fc.double({ min: 0, max: 0.95, noNaN: true }) });
    const property = fc.asyncProperty(drawn, async ({ seed, rate }) => {
      const size = 20_000;
      const [a, b] = [0, 1].map((more) => form.run(() => dropout(tf.ones([size]), { rate, seed: seed + more })));
      const [first, second] = [await a!.data(), await b!.data()];
      const isDropped = Array.from(first, (value) => Number(value === 0));
      const count = isDropped.reduce((sum, x) => sum + x, 0);
      const both = Array.from(second).filter((value, i) => value === 0 && isDropped[i]).length;
      const neighbours = isDropped.filter((x, i) => x && isDropped[i + 1]).length;
      // Five standard deviations of a binomial count.
      const isNear = (found: number, share: number) =>
        Math.abs(found - share * size) <= 5 * Math.sqrt(size * share * (1 - share)) + 1;
      expect([isNear(count, rate), isNear(both, rate * rate), isNear(neighbours, rate * rate)]).toEqual([true, true, true]);
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('an empty tensor gives an empty one', () => {
    const { value, grad } = form.run(() =>
      tf.valueAndGrad((x: tf.Tensor) => dropout(x, { rate: 0.5, seed: 1 }))(tf.zeros([2, 0, 3])),
    );
    expect([value.shape, grad.shape]).toEqual([
      [2, 0, 3],
      [2, 0, 3],
    ]);
  });

  test('what is dropped may hold anything', async () => {
    const kept = dropoutReference(new Float64Array(50).fill(1), 0.5, 9);
    const values = Array.from(kept, (x) => (x === 0 ? Number.NaN : 1e30));
    const output = form.run(() => dropout(tf.tensor1d(values), { rate: 0.5, seed: 9 }));
    expect(Array.from(await output.data())).toEqual(Array.from(kept, (x) => (x === 0 ? 0 : Math.fround(2e30))));
  });

  test('names what it refuses', () => {
    const run = (x: unknown, options?: unknown) => form.run(() => dropout(x as tf.Tensor, options as DropoutOptions));
    const x = tf.ones([3]);
    expect(() => run(x, { rate: 1, seed: 1 })).toThrow('dropout: option rate must be at least 0 and less than 1, got 1');
    expect(() => run(x, { rate: 0.5 })).toThrow('dropout: option seed is required');
    expect(() => run(x)).toThrow('dropout: option rate is required');
    expect(() => run(x, { rate: 0.5, seed: -1 })).toThrow('dropout: option seed must be an integer, 0 or above, got -1');
    expect(() => run(x, { rate: 0.5, seed: 1, p: 1 })).toThrow("dropout: unknown option 'p'; the options are rate, seed");
    expect(() => run(tf.ones([3], 'int32'), { rate: 0.5, seed: 1 })).toThrow('dropout: x must be float32, got int32');
  });

  test('leaks nothing', async () => {
    const x = tf.ones([3, 5]);
    const call = (y: tf.Tensor) => dropout(y, { rate: 0.5, seed: 1 });
    await expectNoLeak(() => form.run(() => call(x)).dispose());
    await expectNoLeak(() => form.run(() => tf.tidy(() => void tf.grad(call)(x))));
  });
});
