import { implementationOf } from '@mixfold/tensor-ops';
import { describeForms, expectNoLeak, runConformance, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type Boundary, boundaries } from '../boundary';
import { causalOffsets, symmetricOffsets } from '../offsets';
import { shift } from '../shift/shift';
import { shiftConvolution, shiftConvolutionOperator } from './shift-convolution';
import { shiftConvolution2d } from './shift-convolution-2d';
import { agreesWithReference, convolve, differentiate, type Offsets } from './test-calls';

// Orientation: x [batch, time, dim], y_n = sum_k x_(n - d_k) theta_k.

const cases: [shape: number[], channels: number, offsets: Offsets][] = [
  [[1, 1, 1], 1, [0, 0]],
  [[2, 2, 3], 2, [1, -1]],
  [[2, 13, 5], 7, [0, 3, 3, -12, 7]],
  [[3, 25, 9], 33, symmetricOffsets(4, 2)],
  [
    [1, 3, 5, 2],
    3,
    [
      [0, 0],
      [-1, 2],
      [2, -4],
    ],
  ],
  [
    [2, 7, 6, 5],
    9,
    [
      [0, 1],
      [1, 0],
      [-3, -2],
      [6, 5],
      [0, 0],
    ],
  ],
];

/** Blocks of the product: rows 24, depth 256, columns 512. */
const large: typeof cases = [
  [[1, 300, 17], 3, causalOffsets(16)],
  [[2, 131, 37], 515, [5, 0, -1]],
  [[1, 25, 257], 9, [1, 24]],
];

/** What `reflect` refuses. */
const beyond: typeof cases = [
  [[2, 5, 3], 4, [9, -6, 5, 1000]],
  [
    [1, 3, 2, 3],
    2,
    [
      [3, 0],
      [-4, 9],
      [0, -2],
    ],
  ],
];

describeForms('shiftConvolution', { fused: ['wasm', 'webgpu'] }, (form) => {
  runConformance(form, 'shiftConvolution', ({ x, theta }, { offsets, boundary }) =>
    convolve(x!, theta!, offsets as Offsets, boundary as Boundary),
  );
  runConformance(form, 'shiftConvolution2d', ({ x, theta }, { offsets, boundary }) =>
    convolve(x!, theta!, offsets as Offsets, boundary as Boundary),
  );

  for (const boundary of boundaries) {
    const all = [...cases, ...(boundary === 'reflect' ? [] : beyond), ...(form.name === 'webgpu' ? [] : large)];
    const chosen = form.isSlow ? all.slice(2, 3) : all;
    test.each(chosen)(`agrees with the reference, gradients too, ${boundary}: [%s] to %i`, async (shape, channels, offsets) => {
      await agreesWithReference(form, new SeededRandom(1), shape, channels, offsets, boundary);
    });
  }

  if (form.name !== 'webgpu') {
    test('keeps its promise over 8,192 steps', async () => {
      await agreesWithReference(form, new SeededRandom(2), [1, 8192, 3], 4, [3, 0, -1], 'zero');
    });
  }

  test('one term with the identity is the shift, to the bit', async () => {
    const x = tensorOf<tf.Tensor3D>(new SeededRandom(3).normals([2, 11, 5]));
    const theta = tf.reshape(tf.eye(5), [1, 5, 5]) as tf.Tensor3D;
    for (const boundary of form.isSlow ? (['reflect'] as const) : boundaries) {
      const [moved, expected] = form.run(() => [
        shiftConvolution(x, theta, { offsets: [-3], boundary }),
        shift(x, -3, { boundary }),
      ]);
      expect(await moved!.data()).toEqual(await expected!.data());
    }
  });

  if (!form.isSlow) {
    test('only what is asked for is differentiated, to the same bits', async () => {
      const random = new SeededRandom(4);
      const given = { x: random.normals([1, 9, 4]), theta: random.normals([2, 4, 3]), cotangent: random.normals([1, 9, 3]) };
      const { dX, dTheta } = differentiate(form, given, [1, -1], 'replicate');
      const [x, theta, g] = [given.x, given.theta, given.cotangent].map((values) => tensorOf(values));
      const alone = form.run(() => [
        tf.grad((a) => convolve(a, theta!, [1, -1], 'replicate'))(x!, g!),
        tf.grad((a) => convolve(x!, a, [1, -1], 'replicate'))(theta!, g!),
      ]);
      expect(await alone[0]!.data()).toEqual(await dX.data());
      expect(await alone[1]!.data()).toEqual(await dTheta.data());
    });

    test('an empty axis gives empty or zero results and gradients', async () => {
      for (const [shape, channels] of [
        [[0, 3, 2], 2],
        [[2, 0, 2], 2],
        [[2, 3, 0], 2],
        [[2, 3, 2], 0],
      ] as const) {
        const [x, theta] = [tf.ones([...shape]), tf.ones([2, shape[2], channels])];
        const call = (...[a, b]: tf.Tensor[]) => convolve(a!, b!, [0, 1], 'reflect');
        const output = [shape[0], shape[1], channels];
        const { value, grads } = form.run(() => tf.valueAndGrads(call)([x, theta], tf.ones(output)));
        expect([value.shape, grads[0]!.shape, grads[1]!.shape]).toEqual([output, shape, theta.shape]);
        expect((await value.data()).every((v) => v === 0)).toBe(true);
      }
    });
  }

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (shiftConvolution as (...all: unknown[]) => tf.Tensor)(...args));
    const [x, theta] = [tf.ones([2, 5, 3]), tf.ones([2, 3, 4])];
    expect(() => run(x, theta, { offsets: [0] })).toThrow("shiftConvolution: axis 'terms' is 2 in theta but there are 1 offsets");
    expect(() => run(x, theta, { offsets: [0, 0.5] })).toThrow('shiftConvolution: offsets[1] must be an integer, got 0.5');
    expect(() => run(x, theta, { offsets: [] })).toThrow(
      'shiftConvolution: option offsets must be an array of at least one of integers, got none',
    );
    expect(() => run(x, theta)).toThrow('shiftConvolution: option offsets must be an array of at least one of integers');
    expect(() => run(x, theta, { offsets: [0, -5], boundary: 'reflect' })).toThrow(
      "shiftConvolution: boundary 'reflect' holds offsets up to 4 on an axis of 5, offsets[1] is -5",
    );
    expect(() => run(x, tf.ones([2, 4, 4]), { offsets: [0, 1] })).toThrow(
      "shiftConvolution: axis 'dim' is 3 in x but 4 in theta\n  x      [batch time dim]",
    );
    expect(() => run(x, theta, { offsets: [0, 1], causal: true })).toThrow(
      "shiftConvolution: unknown option 'causal'; the options are offsets, boundary",
    );
    expect(() => run(tf.ones([5, 3]), theta, { offsets: [0, 1] })).toThrow(
      'shiftConvolution: x must have 3 axes [batch time dim], got 2',
    );
    const overGrid = (offsets: unknown) => () =>
      form.run(() => shiftConvolution2d(tf.ones([1, 3, 4, 3]), theta as tf.Tensor3D, { offsets: offsets as [number, number][] }));
    expect(overGrid([0, 1])).toThrow('option offsets must hold pairs [height, width] of integers, got 0 at place 0');
    expect(
      overGrid([
        [0, 1],
        [1, 0.5],
      ]),
    ).toThrow('shiftConvolution2d: offsets[1] (width) must be an integer, got 0.5');
  });

  test('says which form runs', () => {
    const chosen = form.run(() =>
      implementationOf(shiftConvolutionOperator, { x: [1, 4, 2], theta: [1, 2, 3] }, { offsets: '[0]' }),
    );
    expect(chosen.form).toBe(form.form);
  });

  test('leaks nothing', async () => {
    const [x, theta] = [tf.ones([1, 9, 3]), tf.ones([2, 3, 4])];
    await expectNoLeak(() => form.run(() => convolve(x, theta, [0, 2], 'reflect')).dispose());
    const grads = tf.grads((...[a, b]: tf.Tensor[]) => convolve(a!, b!, [0, 2], 'reflect'));
    await expectNoLeak(() => tf.tidy(() => void form.run(() => grads([x, theta]))));
  });
});
