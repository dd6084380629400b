import { assertClose, describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, expectTypeOf, test } from 'vitest';
import { defineOperator } from './define-operator';
import { implementationOf, withImplementation } from './implementation';

let backwardForms: string[] = [];

/** y = sum over time of scale x^2 weight, per channel; z = x. What is computed with `weight` absent, saved, optional and unused is what counts. */
const squareBackward = defineOperator({
  name: 'TestSquareBackward',
  publicName: 'square',
  inputs: { x: 'time dim', 'weight?': 'time dim', total: 'dim', dY: 'dim', dZ: 'time dim' },
  attributes: { scale: 1 },
  outputs: { dX: 'time dim', 'dWeight?': 'time dim' },
  compose({ x, weight, dY, dZ }, { scale }) {
    backwardForms.push('composed');
    const slope = tf.mul(tf.mul(x, 2 * scale), dY);
    const gradients: Record<string, tf.Tensor> = { dX: tf.add(weight ? tf.mul(slope, weight) : slope, dZ) };
    if (weight) gradients.dWeight = tf.mul(tf.mul(tf.square(x), scale), dY);
    return gradients;
  },
});

const square = defineOperator({
  name: 'TestSquare',
  inputs: { x: 'time dim', 'weight?': 'time dim', 'mask?': 'time' },
  publicName: 'square',
  dtypes: { mask: 'mask' },
  attributes: { scale: 1 },
  outputs: { y: 'dim', z: 'time dim' },
  saved: { total: 'dim' },
  compose({ x, weight }, { scale }, { outputShapes }) {
    const squares = tf.mul(tf.square(x), scale);
    const y = tf.sum(weight ? tf.mul(squares, weight) : squares, 0);
    return { y, z: x, ...(outputShapes.total ? { total: tf.clone(y) } : {}) };
  },
  kernels: {
    cpu: {
      accepts: ({ sizes }) => (sizes.time! > 3 ? 'time is above 3' : null),
      run: ({ inputs, outputShapes }) => {
        const made = tf.engine().backend as unknown as {
          makeTensorInfo(shape: number[], dtype: string, values: Float32Array): tf.TensorInfo;
        };
        expect(inputs.x).toBeDefined();
        return Object.fromEntries(
          Object.entries(outputShapes).map(([name, shape]) => [
            name,
            made.makeTensorInfo(shape, 'float32', new Float32Array(tf.util.sizeFromShape(shape)).fill(7)),
          ]),
        );
      },
    },
  },
  backward: squareBackward,
});

/** y = a b, whose gradients share no work; what was asked for is what counts. */
let asked: string[][] = [];
const product = defineOperator({
  name: 'TestProduct',
  inputs: { a: 'dim', b: 'dim' },
  outputs: { y: 'dim' },
  compose: ({ a, b }) => ({ y: tf.mul(a, b) }),
  separateGradients: true,
  backward: defineOperator({
    name: 'TestProductBackward',
    inputs: { a: 'dim', b: 'dim', dY: 'dim' },
    outputs: { dA: 'dim', dB: 'dim' },
    compose({ a, b, dY }, _, { outputShapes }) {
      asked.push(Object.keys(outputShapes));
      return { dA: tf.mul(dY, b), dB: tf.mul(dY, a) };
    },
  }),
});

describeBackends('defineOperator', (backend) => {
  const composed = <T>(fn: () => T) => withImplementation('composed', fn);
  const x = () => tf.tensor2d([1, 2, 3, 4], [2, 2]);

  test('runs, typed by its axes, without what only a gradient needs', async () => {
    const made = composed(() => square.run({ x: x() }));
    expectTypeOf(made).toEqualTypeOf<{ readonly y: tf.Tensor1D; readonly z: tf.Tensor2D }>();
    expect(Object.keys(made)).toEqual(['y', 'z']);
    await assertClose('y', made.y, { shape: [2], data: [10, 20] }, { relative: 1e-6 });
    made.z.dispose();
  });

  test('an output that is an input is a tensor of its own', async () => {
    const input = x();
    const { z } = composed(() => square.run({ x: input }));
    z.dispose();
    expect(Array.from(await input.data())).toEqual([1, 2, 3, 4]);
  });

  test.each([false, true])('differentiates every input, weight given: %s', async (weighted) => {
    const weight = tf.tensor2d([1, -1, 0.5, 2], [2, 2]);
    const call = (input: tf.Tensor, w: tf.Tensor) =>
      square.run({ x: input as tf.Tensor2D, weight: weighted ? (w as tf.Tensor2D) : undefined }, { scale: 3 }).y;
    const cotangent = tf.tensor1d([1, 10]);
    if (!weighted) {
      const gradient = composed(() => tf.grad((input: tf.Tensor) => call(input, weight))(x(), cotangent));
      await assertClose('dX', gradient, { shape: [2, 2], data: [6, 120, 18, 240] }, { relative: 1e-6 });
      return;
    }
    const [dX, dWeight] = composed(() => tf.grads(call)([x(), weight], cotangent));
    await assertClose('dX', dX!, { shape: [2, 2], data: [6, -120, 9, 480] }, { relative: 1e-6 });
    await assertClose('dWeight', dWeight!, { shape: [2, 2], data: [3, 120, 27, 480] }, { relative: 1e-6 });
  });

  test('of separate gradients only those are made that something needs', async () => {
    const [a, b, dY] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4]), tf.tensor1d([5, 6])];
    asked = [];
    const dA = tf.grad((input: tf.Tensor) => product.run({ a: input as tf.Tensor1D, b }).y)(a, dY);
    expect(asked).toEqual([['dA']]);
    const both = tf.grads((p: tf.Tensor, q: tf.Tensor) => product.run({ a: p as tf.Tensor1D, b: q as tf.Tensor1D }).y)(
      [a, b],
      dY,
    );
    expect(asked).toEqual([['dA'], ['dA'], ['dB']]);
    const found = await Promise.all([dA, ...both].map(async (gradient) => [...(await gradient.data())]));
    expect(found).toEqual([
      [15, 24],
      [15, 24],
      [5, 12],
    ]);
    await expectNoLeak(() => tf.grads((p: tf.Tensor) => product.run({ a: p as tf.Tensor1D, b: p as tf.Tensor1D }).y)([a], dY));
  });

  test('the gradient keeps to the form of its forward', () => {
    backwardForms = [];
    tf.grad((input: tf.Tensor) => composed(() => square.run({ x: input as tf.Tensor2D }).y))(x(), tf.ones([2]));
    expect(backwardForms).toEqual(['composed']);
    const call = () => withImplementation('fused', () => square.run({ x: x() }));
    if (backend.name === 'cpu') expect(Array.from(call().y.dataSync())).toEqual([7, 7]);
    else
      expect(call).toThrow(
        `square: a fused kernel was asked for, but TestSquare has no fused kernel for backend '${backend.name}'`,
      );
  });

  test('a tensor without elements gives zeros, and so do its gradients', async () => {
    const empty = tf.zeros([0, 2]) as tf.Tensor2D;
    expect(Array.from(await square.run({ x: empty }).y.data())).toEqual([0, 0]);
    const gradient = tf.grad((input: tf.Tensor) => square.run({ x: input as tf.Tensor2D }).y)(empty, tf.ones([2]));
    expect(gradient.shape).toEqual([0, 2]);
  });

  test('frees everything it makes for itself, also when it fails', async () => {
    const [input, mask, cotangent] = [x(), tf.tensor1d([true, false], 'bool'), tf.ones([2])];
    await expectNoLeak(() => tf.dispose(composed(() => square.run({ x: input, mask })) as never));
    await expectNoLeak(() =>
      tf.dispose(composed(() => tf.grad((i: tf.Tensor) => square.run({ x: i as tf.Tensor2D, mask }).y)(input, cotangent))),
    );
    if (backend.name === 'cpu') return;
    await expectNoLeak(() => {
      expect(() => withImplementation('fused', () => square.run({ x: input, mask }))).toThrow('no fused kernel');
    });
  });

  test('refuses unknown inputs and attributes', () => {
    expect(() => square.run({ x: x(), y: x() } as never)).toThrow("square: unknown input 'y'");
    expect(() => square.run({ x: x() }, { skale: 2 } as never)).toThrow("square: unknown option 'skale'; the options are scale");
    expect(() => square.run({ x: x() }, { scale: Number.NaN })).toThrow('square: option scale must be a finite number, got NaN');
  });

  test('tells which form runs, and why', () => {
    const has = backend.name === 'cpu';
    expect(implementationOf(square, { x: [2, 2] }).form).toBe(has ? 'fused' : 'composed');
    if (has)
      expect(implementationOf(square, { x: [4, 2] })).toEqual({ backend: 'cpu', form: 'composed', reason: 'time is above 3' });
    expect(() => implementationOf(square, { w: [1] })).toThrow("square: unknown input 'w'");
    for (const wrong of ['square', () => {}, undefined]) {
      expect(() => implementationOf(wrong as never)).toThrow('implementationOf: operator must be one that defineOperator made');
    }
    expect(() => withImplementation('fast' as never, () => 0)).toThrow(
      "withImplementation: form must be 'fused' or 'composed', got 'fast'",
    );
    expect(() => withImplementation('composed', async () => 0)).toThrow('withImplementation: fn must be synchronous');
  });
});
