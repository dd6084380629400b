import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rotaryReference } from './reference';
import { type RotaryEmbeddingOptions, rotaryEmbedding } from './rotary-embedding';

const cases: [shape: number[], options: { base?: number; offset?: number }][] = [
  [[1, 1, 1, 2], {}],
  [[2, 3, 5, 4], {}],
  [[1, 2, 7, 6], { offset: 3 }],
  [[2, 1, 13, 10], { base: 100 }],
  [[1, 1, 3, 34], { offset: 8190, base: 500_000 }],
  [[1, 1, 8192, 4], {}],
];

describeForms('rotaryEmbedding', { fused: ['wasm', 'webgpu'] }, (form) => {
  const differentiate = (x: tf.Tensor, cotangent: tf.Tensor, options: RotaryEmbeddingOptions) =>
    form.run(() => tf.valueAndGrad((y: tf.Tensor): tf.Tensor => rotaryEmbedding(y as tf.Tensor4D, options))(x, cotangent));

  for (const pairing of ['adjacent', 'halves'] as const) {
    test.each(cases)(`agrees with the reference, gradient too: %s, %o, ${pairing}`, async (shape, given) => {
      const options = { ...given, pairing };
      const random = new SeededRandom(1);
      const [x, cotangent] = [random.normals(shape), random.normals(shape)];
      const { value, grad } = differentiate(tensorOf(x), tensorOf(cotangent), options);
      const output = rotaryReference({ shape, ...options }, x.data);
      await assertClose('output', value, { shape, data: output }, { relative: form.tolerance.forward });
      const dX = rotaryReference({ shape, ...options }, cotangent.data, -1);
      await assertClose('dX', grad, { shape, data: dX }, { relative: form.tolerance.gradient });
    });

    test(`has the gradient of central differences, ${pairing}`, async () => {
      const random = new SeededRandom(2);
      const shape = [1, 2, 3, 6];
      const [x, cotangent] = [random.normals(shape), random.normals(shape)];
      const f = (at: { x: Float64Array }) => rotaryReference({ shape, pairing }, at.x);
      const expected = numericalGradient(f, { x: x.data }, { cotangent: cotangent.data });
      const { grad } = differentiate(tensorOf(x), tensorOf(cotangent), { pairing });
      await assertClose('dX', grad, expected.x!, { relative: form.tolerance.gradient });
    });
  }

  test('keeps lengths; a product of query and key depends on their distance alone; an offset continues a sequence', async () => {
    const drawn = fc.record({ seed: fc.nat(), pairs: fc.integer({ min: 1, max: 9 }), offset: fc.integer({ min: 0, max: 5000 }) });
    const property = fc.asyncProperty(drawn, async ({ seed, pairs, offset }) => {
      const random = new SeededRandom(seed);
      const pairing = seed % 2 === 0 ? 'adjacent' : 'halves';
      const [query, key] = [0, 1].map(() => tensorOf<tf.Tensor4D>(random.normals([1, 2, 6, 2 * pairs])));
      const scores = (from: number) => {
        const [q, k] = [query, key].map((x) => form.run(() => rotaryEmbedding(x!, { offset: from, pairing })));
        return tf.sum(tf.mul(q!, k!), 3);
      };
      await assertClose('products of equal times', scores(offset), tf.sum(tf.mul(query!, key!), 3), {
        relative: 1e-5,
        absolute: 3e-6,
      });
      const whole = form.run(() => rotaryEmbedding(query!, { offset, pairing }));
      const rest = tf.slice(query!, [0, 0, 4, 0], [1, 2, 2, -1]);
      const continued = form.run(() => rotaryEmbedding(rest, { offset: offset + 4, pairing }));
      await assertClose('continued', continued, tf.slice(whole, [0, 0, 4, 0], [1, 2, 2, -1]), { relative: 1e-6 });
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('an empty axis gives an empty result and gradient', () => {
    for (const shape of [
      [0, 2, 3, 4],
      [1, 0, 3, 4],
      [1, 2, 0, 4],
      [1, 2, 3, 0],
    ]) {
      const { value, grad } = differentiate(tf.zeros(shape), tf.zeros(shape), {});
      expect([value.shape, grad.shape]).toEqual([shape, shape]);
    }
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (rotaryEmbedding as (...all: unknown[]) => tf.Tensor)(...args));
    const x = tf.ones([1, 1, 2, 4]);
    expect(() => run(tf.ones([1, 1, 2, 3]))).toThrow(
      "rotaryEmbedding: axis 'headDim' must be even, is 3 in x\n  x  [batch heads",
    );
    expect(() => run(tf.ones([2, 4]))).toThrow('rotaryEmbedding: x must have 4 axes [batch heads time headDim], got 2');
    expect(() => run(x, { base: 0 })).toThrow('rotaryEmbedding: option base must be a finite number above 0, got 0');
    expect(() => run(x, { pairing: 'odd' })).toThrow("option pairing must be one of 'adjacent', 'halves', got 'odd'");
    expect(() => run(x, { theta: 1 })).toThrow("rotaryEmbedding: unknown option 'theta'; the options are base, offset, pairing");
    expect(() => run(1)).toThrow('rotaryEmbedding: x must be a Tensor, got 1');
  });

  test('leaks nothing', async () => {
    const x = tf.ones([1, 2, 3, 4]);
    await expectNoLeak(() => form.run(() => rotaryEmbedding(x as tf.Tensor4D)).dispose());
    await expectNoLeak(() => tf.tidy(() => void differentiate(x, x, {})));
  });
});
