import {
  assertClose,
  describeForms,
  expectNoLeak,
  runConformance,
  SeededRandom,
  type TestForm,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Boundary, boundaries } from '../boundary';
import { shiftReference } from './reference';
import { shift } from './shift';

// Orientation: y[n] = x[n - offset], so a positive offset looks back.

async function agreesWithReference(
  form: TestForm,
  shape: number[],
  offset: number,
  options: { axis: number; boundary: Boundary },
): Promise<void> {
  const random = new SeededRandom(7 + offset);
  const [x, cotangent] = [random.normals(shape), random.normals(shape)];
  const at = options.axis < 0 ? shape.length + options.axis : options.axis;
  const size = (axes: number[]) => axes.reduce((product, n) => product * n, 1);
  const layout = [size(shape.slice(0, at)), shape[at]!, size(shape.slice(at + 1))] as const;
  const call = (a: tf.Tensor) => shift(a, offset, options);
  const { value, grad } = form.run(() => tf.valueAndGrad(call)(tensorOf(x), tensorOf(cotangent)));
  expect(await value.data(), 'output').toEqual(Float32Array.from(shiftReference(x.data, layout, offset, options.boundary)));
  await assertClose('dX', grad, shiftReference(cotangent.data, layout, offset, options.boundary, true), {
    relative: form.tolerance.gradient,
  });
}

const cases: [shape: number[], axis: number, offset: number][] = [
  [[1], 0, 1],
  [[2, 1, 3], 1, -1],
  [[2, 2], 1, 1],
  [[2, 7, 3], 1, 3],
  [[3, 5, 4], 2, -2],
  [[2, 3, 5, 2, 3], -3, 6],
  [[1, 17, 5], 1, -16],
  [[2, 67, 3], 1, 66],
  [[1, 300, 2], 1, -1000],
];

describeForms('shift', { fused: ['wasm', 'webgpu'] }, (form) => {
  runConformance(form, 'shift', ({ x }, { offset, boundary }) => shift(x!, offset as number, { boundary: boundary as Boundary }));

  for (const boundary of boundaries) {
    const held = cases.filter(([shape, axis, offset]) => boundary !== 'reflect' || Math.abs(offset) < shape.at(axis)!);
    test.each(form.isSlow ? held.slice(0, 4) : held)(
      `agrees with the reference, ${boundary}: [%s], axis %i, offset %i`,
      async (shape, axis, offset) => agreesWithReference(form, shape, offset, { axis, boundary }),
    );
  }

  if (!form.isSlow) {
    test('on a circle shifts are a group: one after the other is their sum, and the opposite undoes', async () => {
      const drawn = fc.record({ seed: fc.nat(), a: fc.integer({ min: -40, max: 40 }), b: fc.integer({ min: -40, max: 40 }) });
      const property = fc.asyncProperty(drawn, async ({ seed, a, b }) => {
        const x = tensorOf(new SeededRandom(seed).normals([2, 13, 3]));
        const options = { boundary: 'circular' } as const;
        const [twice, once, back] = form.run(() => [
          shift(shift(x, a, options), b, options),
          shift(x, a + b, options),
          shift(shift(x, a, options), -a, options),
        ]);
        expect(await twice!.data()).toEqual(await once!.data());
        expect(await back!.data()).toEqual(await x.data());
      });
      await fc.assert(property, { numRuns: 8, seed: 42 });
    });

    test('its gradient is its adjoint: <shift x, g> = <x, shift* g>', async () => {
      const drawn = fc.record({
        seed: fc.nat(),
        offset: fc.integer({ min: -10, max: 10 }),
        boundary: fc.constantFrom(...boundaries),
      });
      const property = fc.asyncProperty(drawn, async ({ seed, offset, boundary }) => {
        const random = new SeededRandom(seed);
        const [x, g] = [tensorOf(random.normals([2, 11, 3])), tensorOf(random.normals([2, 11, 3]))];
        const { value, grad } = form.run(() => tf.valueAndGrad((a) => shift(a, offset, { boundary }))(x, g));
        const dot = async (p: tf.Tensor, q: tf.Tensor) => {
          const [a, b] = [await p.data(), await q.data()];
          return Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
        };
        expect(await dot(value, g)).toBeCloseTo(await dot(x, grad), 4);
      });
      await fc.assert(property, { numRuns: 8, seed: 42 });
    });
  }

  test('an empty axis gives an empty result and gradient', () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 2],
      [2, 3, 0],
    ]) {
      for (const boundary of boundaries) {
        const { value, grad } = form.run(() => tf.valueAndGrad((x) => shift(x, 2, { boundary }))(tf.ones(shape), tf.ones(shape)));
        expect([value.shape, grad.shape]).toEqual([shape, shape]);
      }
    }
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (shift as (...all: unknown[]) => tf.Tensor)(...args));
    const x = tf.ones([2, 5, 3]);
    expect(() => run(x, 0.5)).toThrow('shift: offset must be an integer, got 0.5; for a real one use fractionalShift');
    expect(() => run(x, 5, { boundary: 'reflect' })).toThrow(
      "shift: boundary 'reflect' holds offsets up to 4 on an axis of 5, offset is 5",
    );
    expect(() => run(x, 1, { boundary: 'mirror' })).toThrow(
      "shift: option boundary must be one of 'zero', 'circular', 'replicate', 'reflect', got 'mirror'",
    );
    expect(() => run(x, 1, { axis: 3 })).toThrow('shift: axis 3 is not there: x has 3 axes, its shape is [2, 5, 3]');
    expect(() => run(x, 1, { axis: 0.5 })).toThrow('shift: option axis must be an integer, got 0.5');
    expect(() => run(x, 1, { by: 3 })).toThrow("shift: unknown option 'by'; the options are axis, boundary");
    expect(() => run(undefined, 1)).toThrow('shift: x must be a Tensor, got undefined');
    expect(() => run(tf.cast(x, 'int32'), 1)).toThrow("shift: x must be float32, got int32; cast it with x.cast('float32')");
  });

  test('leaks nothing', async () => {
    const x = tf.ones([2, 7, 3]);
    for (const boundary of boundaries) {
      await expectNoLeak(() => form.run(() => shift(x, 2, { boundary })).dispose());
      await expectNoLeak(() => tf.tidy(() => void form.run(() => tf.grad((a: tf.Tensor) => shift(a, 2, { boundary }))(x))));
    }
  });
});
