import { assertAgrees, describeForms, expectNoLeak, SeededRandom, type TestForm, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { shift } from '../shift/shift';
import { type FractionalBoundary, fractionalShift } from './fractional-shift';
import { fractionalShiftReference } from './reference';

// Orientation: a positive offset looks back; head h owns channels [h dim / heads, (h + 1) dim / heads).

const held: readonly FractionalBoundary[] = ['zero', 'circular', 'replicate'];

async function agreesWithReference(
  form: TestForm,
  shape: [number, number, number],
  offset: number[],
  boundary: FractionalBoundary,
) {
  const random = new SeededRandom(5);
  const [x, cotangent] = [random.normals(shape), random.normals(shape)];
  const real = offset.map(Math.fround);
  const call = (...[a, b]: tf.Tensor[]) => fractionalShift(a as tf.Tensor3D, b as tf.Tensor1D, { boundary });
  const { value, grads } = form.run(() =>
    tf.valueAndGrads(call)([tensorOf(x), tf.tensor1d(real)], tensorOf<tf.Tensor3D>(cotangent)),
  );
  const expected = fractionalShiftReference(x.data, real, shape, boundary, cotangent.data);
  await assertAgrees({ output: value, dX: grads[0]!, dOffset: grads[1]! }, expected, { relative: form.tolerance });
}

const cases: [shape: [number, number, number], offset: number[]][] = [
  [[1, 1, 1], [0.25]],
  [
    [2, 2, 6],
    [1, -0.5],
  ],
  [
    [2, 13, 15],
    [2.75, -3.5, 0.125],
  ],
  [
    [1, 67, 8],
    [-67.5, 66, 1.5, -1e4],
  ],
  [
    [3, 25, 10],
    [1000.5, -24],
  ],
];

describeForms('fractionalShift', { fused: ['wasm', 'webgpu'] }, (form) => {
  for (const boundary of held) {
    test.each(form.isSlow ? cases.slice(1, 3) : cases)(
      `agrees with the reference, gradients too, ${boundary}: [%s] by [%s]`,
      async (shape, offset) => agreesWithReference(form, shape, offset, boundary),
    );
  }

  test('at whole offsets it is the shift, to the bit', async () => {
    const x = tensorOf<tf.Tensor3D>(new SeededRandom(2).normals([2, 9, 4]));
    for (const boundary of form.isSlow ? held.slice(2) : held) {
      const [real, whole] = form.run(() => [fractionalShift(x, tf.tensor1d([-2]), { boundary }), shift(x, -2, { boundary })]);
      // A masked place may be -0.
      expect((await real!.data()).map((value) => value + 0)).toEqual(await whole!.data());
    }
  });

  if (form.name !== 'webgpu') {
    test('the derivative at a whole offset is the one from the right', async () => {
      const x = tf.tensor3d([1, 10, 100, 1000], [1, 4, 1]);
      const slope = form.run(() => tf.grad((offset: tf.Tensor) => fractionalShift(x, offset as tf.Tensor1D))(tf.tensor1d([1])));
      // What is read moves from n - 1 on to n - 2: (0 - 0) + (0 - 1) + (1 - 10) + (10 - 100).
      expect(Array.from(await slope.data())).toEqual([-100]);
    });

    test('an offset of NaN reaches its own head and its own gradient', async () => {
      const x = tf.ones([1, 3, 4]) as tf.Tensor3D;
      const call = (offset: tf.Tensor) => fractionalShift(x, offset as tf.Tensor1D, { boundary: 'replicate' });
      const { value, grad } = form.run(() => tf.valueAndGrad(call)(tf.tensor1d([Number.NaN, 1])));
      const lost = Array.from(await value.data()).flatMap((v, i) => (Number.isNaN(v) ? [i % 4] : []));
      expect([...new Set(lost)]).toEqual([0, 1]);
      expect((await grad.data())[1]).toBe(0);
    });
  }

  test('names what it refuses, and empty arguments give empty results', () => {
    const run = (offset: tf.Tensor, options?: unknown) => () =>
      form.run(() => fractionalShift(tf.ones([2, 5, 4]), offset as tf.Tensor1D, options as never));
    expect(run(tf.ones([3]))).toThrow('fractionalShift: heads must divide dim, got 3 offsets and dim 4');
    expect(run(tf.ones([2]), { boundary: 'reflect' })).toThrow(
      "boundary 'reflect' cannot hold an offset that outgrows the sequence",
    );
    expect(run(tf.ones([2, 1]))).toThrow('fractionalShift: offset must have 1 axis [heads], got 2');
    expect(run(tf.ones([2]), { axis: 1 })).toThrow("fractionalShift: unknown option 'axis'; the options are boundary");
    expect(form.run(() => fractionalShift(tf.ones([2, 0, 4]), tf.ones([2]))).shape).toEqual([2, 0, 4]);
  });

  test('leaks nothing', async () => {
    const [x, offset] = [tf.ones([1, 9, 4]), tf.tensor1d([1.5, -0.5])];
    const call = (...[a, b]: tf.Tensor[]) => fractionalShift(a as tf.Tensor3D, b as tf.Tensor1D, { boundary: 'replicate' });
    await expectNoLeak(() => form.run(() => call(x, offset)).dispose());
    await expectNoLeak(() => tf.tidy(() => void form.run(() => tf.grads(call)([x, offset]))));
  });
});
