import { assertClose, describeForms, expectNoLeak, SeededRandom, type ShapedValues, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AdamWState, type AdamWStepOptions, adamWOperator, adamWState, adamWStep } from './adam-w';
import { adamWReference, type ReferenceState, type ReferenceStep } from './reference';

const defaults: Omit<ReferenceStep, 'decays'> = {
  rate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  gradientScale: 1,
};

/** Steps of the reference from zero moments. */
function expected(
  parameters: readonly ShapedValues[],
  steps: readonly (readonly ShapedValues[])[],
  options: Partial<ReferenceStep>,
): ReferenceState {
  const zeros = () => parameters.map(({ data }) => new Float64Array(data.length));
  const decays = parameters.map(() => true);
  let state: ReferenceState = {
    updates: 0,
    parameters: parameters.map(({ data }) => Float64Array.from(data)),
    mean: zeros(),
    square: zeros(),
  };
  for (const gradients of steps) {
    state = adamWReference(
      state,
      gradients.map(({ data }) => data),
      { ...defaults, decays, ...options },
    );
  }
  return state;
}

const flat = (parts: readonly Float64Array[]): number[] => parts.flatMap((part) => [...part]);

describeForms('adamWStep', { fused: ['wasm', 'webgpu'] }, (form) => {
  /** The same steps here. */
  function run(parameters: readonly ShapedValues[], steps: readonly (readonly ShapedValues[])[], options: AdamWStepOptions = {}) {
    let [present, state]: [tf.Tensor[], AdamWState] = [parameters.map(tensorOf), adamWState(parameters.map(tensorOf))];
    for (const gradients of steps) {
      ({ parameters: present, state } = form.run(() => adamWStep(present, gradients.map(tensorOf), state, options)));
    }
    return { parameters: present, state };
  }

  const shapeSets: number[][][] = [
    [[1]],
    [[]],
    [[2]],
    [[3, 5], [7]],
    [[64], [65], [63]],
    [[5, 13], [1], [2, 3, 4], [], [131]],
    [[4099]],
  ];
  test.each(shapeSets.flatMap((shapes) => [[shapes, 1] as const, [shapes, 3] as const]))(
    'agrees with the reference: %j, %d steps',
    async (shapes, count) => {
      const random = new SeededRandom(shapes.length + count);
      const parameters = shapes.map((shape) => random.normals(shape));
      const steps = Array.from({ length: count }, () => shapes.map((shape) => random.normals(shape)));
      const options = { rate: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.3 };
      const decays = shapes.map((_, i) => i % 3 !== 1);
      const made = run(parameters, steps, { ...options, decays, gradientScale: tf.scalar(0.25) });
      const wanted = expected(parameters, steps, { ...options, decays, gradientScale: 0.25 });
      const bound = { relative: form.tolerance.forward };
      expect(made.state.updates).toBe(count);
      await assertClose('mean', made.state.mean, flat(wanted.mean), bound);
      await assertClose('square', made.state.square, flat(wanted.square), bound);
      for (const [i, parameter] of made.parameters.entries()) {
        await assertClose(`parameters[${i}]`, parameter, { shape: shapes[i]!, data: wanted.parameters[i]! }, bound);
      }
    },
  );

  test('gives what PyTorch 1.13 gives in float64, with parameter groups of their own decay', async () => {
    const parameters = [
      { shape: [2, 3], data: [0.5, -1.25, 2, 3, -0.125, 0.75] },
      { shape: [2], data: [0.25, -0.5] },
    ];
    const matrices = [
      [0.5, -0.25, 1.5, -2, 0.125, 0],
      [0.25, 0.5, -1, 1, 0.0625, 0],
      [-0.75, 0.5, 0.125, 3, -0.5, 2 ** -20],
    ];
    const vectors = [
      [1, -(2 ** -10)],
      [0.5, 2 ** -9],
      [-0.25, 100],
    ];
    const steps = matrices.map((data, i) => [
      { shape: [2, 3], data },
      { shape: [2], data: vectors[i]! },
    ]);
    const made = run(parameters, steps, { rate: 0.01, beta2: 0.95, weightDecay: 0.1, decays: [true, false] });
    const bound = { relative: form.tolerance.forward };
    await assertClose(
      'matrix',
      made.parameters[0]!,
      [0.4799503241382044, -1.246220580410067, 1.9809910056531639, 2.9998112508960735, -0.13986425592845847, 0.7416284690382908],
      bound,
    );
    await assertClose('vector', made.parameters[1]!, [0.22486693118333836, -0.49986610970560763], bound);
  });

  test('the defaults are those of the reference', async () => {
    const random = new SeededRandom(7);
    const [parameters, steps] = [[random.normals([9])], [[random.normals([9])], [random.normals([9])]]];
    const made = run(parameters, steps);
    await assertClose('parameter', made.parameters[0]!, expected(parameters, steps, {}).parameters[0]!, {
      relative: form.tolerance.forward,
    });
  });

  test('a set gives what its parameters give one by one, bit for bit', async () => {
    const drawn = fc.record({
      shapes: fc.array(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
      flags: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      seed: fc.nat(),
    });
    const property = fc.asyncProperty(drawn, async ({ shapes, flags, seed }) => {
      const random = new SeededRandom(seed);
      const parameters = shapes.map((shape) => random.normals(shape));
      const steps = [0, 1].map(() => shapes.map((shape) => random.normals(shape)));
      const decays = shapes.map((_, i) => flags[i]!);
      const all = run(parameters, steps, { rate: 0.1, decays });
      for (const [i, parameter] of parameters.entries()) {
        const alone = run(
          [parameter],
          steps.map((step) => [step[i]!]),
          { rate: 0.1, decays: [decays[i]!] },
        );
        expect(await all.parameters[i]!.data()).toEqual(await alone.parameters[0]!.data());
      }
    });
    await fc.assert(property, { numRuns: form.name === 'webgpu' ? 4 : 15, seed: 42 });
  });

  test('without gradient and decay nothing moves; at rate 0 only the moments do', async () => {
    const x = { shape: [5], data: [1, -2, 3e4, 4e-4, 0] };
    const still = run([x], [[{ shape: [5], data: [0, 0, 0, 0, 0] }]], { weightDecay: 0 });
    expect([...(await still.parameters[0]!.data())]).toEqual([...(await tensorOf(x).data())]);
    const frozen = run([x], [[{ shape: [5], data: [1, 2, 3, 4, 5] }]], { rate: 0 });
    expect([...(await frozen.parameters[0]!.data())]).toEqual([...(await tensorOf(x).data())]);
    await assertClose('mean', frozen.state.mean, [0.1, 0.2, 0.3, 0.4, 0.5], { relative: form.tolerance.forward });
  });

  test('the first step moves by the rate, whatever the size of a gradient', async () => {
    const data = [1e-3, -1e-3, 1, 1e4, -1e15];
    const made = run([{ shape: [5], data: [0, 0, 0, 0, 0] }], [[{ shape: [5], data }]], { rate: 0.5, epsilon: 1e-12 });
    await assertClose(
      'parameter',
      made.parameters[0]!,
      data.map((g) => -0.5 * Math.sign(g)),
      {
        relative: form.tolerance.forward,
      },
    );
  });

  test('gradients of 0, tiny ones and parameters of 1e4 stay finite over many steps', async () => {
    const random = new SeededRandom(11);
    const parameters = [random.uniforms([40], -1e4, 1e4)];
    const sizes = [0, 1e-30, 1e-10, 1, 1e4];
    const steps = Array.from({ length: 12 }, () => {
      const { shape, data } = random.normals([40]);
      return [{ shape, data: Float32Array.from(data, (g, i) => g * sizes[i % sizes.length]!) }];
    });
    const made = run(parameters, steps, { rate: 0.1 });
    const wanted = expected(parameters, steps, { rate: 0.1 });
    await assertClose('parameter', made.parameters[0]!, wanted.parameters[0]!, { relative: form.tolerance.forward });
  });

  test('empty parameters and empty sets', async () => {
    const parameters = [tf.zeros([0, 3]), tf.ones([2]), tf.zeros([4, 0])];
    const gradients = [tf.zeros([0, 3]), tf.ones([2]), tf.zeros([4, 0])];
    const state = adamWState(parameters);
    const made = form.run(() => adamWStep(parameters, gradients, state, { decays: [true, false, true] }));
    expect(made.parameters.map(({ shape }) => shape)).toEqual([[0, 3], [2], [4, 0]]);
    await assertClose('the rest', made.parameters[1]!, [0.999, 0.999], { relative: form.tolerance.forward });
    const none = form.run(() => adamWStep([], [], adamWState([])));
    expect([none.parameters, none.state.updates, none.state.mean.shape]).toEqual([[], 1, [0]]);
    const hollow = form.run(() => adamWStep([tf.zeros([0])], [tf.zeros([0])], adamWState([tf.zeros([0])])));
    expect([hollow.parameters[0]!.shape, hollow.state.updates]).toEqual([[0], 1]);
  });

  test('changes and disposes nothing it is given', async () => {
    const [parameters, gradients] = [[tf.ones([3])], [tf.ones([3])]];
    const state = adamWState(parameters);
    form.run(() => adamWStep(parameters, gradients, state, { rate: 0.5 }));
    for (const [tensor, value] of [
      [parameters[0]!, 1],
      [gradients[0]!, 1],
      [state.mean, 0],
      [state.square, 0],
    ] as const) {
      expect([...(await tensor.data())]).toEqual([value, value, value]);
    }
  });

  test('names what it refuses', () => {
    const [x, g] = [
      [tf.ones([2]), tf.ones([3, 4])],
      [tf.ones([2]), tf.ones([3, 4])],
    ];
    const state = adamWState(x);
    const step = (...given: unknown[]) => form.run(() => adamWStep(...(given as Parameters<typeof adamWStep>)));
    expect(() => step(x, [g[0]], state)).toThrow('adamWStep: there are 2 parameters but 1 gradients');
    expect(() => step(x, [g[0], tf.ones([4, 3])], state)).toThrow(
      "adamWStep: axes '...shape1' are [3, 4] in parameters[1] but [4, 3] in gradients[1]",
    );
    expect(() => step(x, [g[0], null], state)).toThrow('adamWStep: gradients[1] must be a Tensor, got null');
    expect(() => step(x, [g[0], tf.ones([3, 4], 'int32')], state)).toThrow('adamWStep: gradients[1] must be float32, got int32');
    expect(() => step(x[0], g, state)).toThrow('adamWStep: parameters must be an array of tensors, got a Tensor of shape [2]');
    expect(() => step(x, g)).toThrow('adamWStep: state must be what adamWState or the last step returned, got undefined');
    expect(() => step(x, g, adamWState([x[0]!]))).toThrow(
      'adamWStep: the parameters have 14 elements but mean and square of the state 2; a state belongs to the parameters that adamWState was given',
    );
    expect(() => step(x, g, state, { beta1: 1 })).toThrow('adamWStep: option beta1 must be below 1, got 1');
    expect(() => step(x, g, state, { epsilon: 0 })).toThrow('adamWStep: option epsilon must be a finite number above 0, got 0');
    expect(() => step(x, g, state, { lr: 1 })).toThrow(
      "adamWStep: unknown option 'lr'; the options are rate, beta1, beta2, epsilon, weightDecay, decays, gradientScale",
    );
    expect(() => step(x, g, state, { decays: [true] })).toThrow(
      'adamWStep: option decays must be an array of 2 booleans, got an array',
    );
    expect(() => step(x, g, state, { gradientScale: tf.ones([2]) })).toThrow('adamWStep: gradientScale must have 0 axes');
    expect(() => adamWState([1 as never])).toThrow('adamWState: parameters[0] must be a Tensor, got 1');
  });

  test('leaks nothing', async () => {
    const [parameters, gradients] = [
      [tf.ones([3, 5]), tf.ones([7])],
      [tf.ones([3, 5]), tf.ones([7])],
    ];
    const [state, gradientScale] = [adamWState(parameters), tf.scalar(2)];
    await expectNoLeak(() => {
      const made = form.run(() => adamWStep(parameters, gradients, state, { gradientScale, decays: [true, false] }));
      return [...made.parameters, made.state.mean, made.state.square];
    });
    await expectNoLeak(() => {
      expect(() => form.run(() => adamWStep(parameters, gradients, state, { beta2: 1 }))).toThrow('beta2');
      return [];
    });
  });

  test('one parameter is the operator of that name', () => {
    const x = tf.ones([2, 2]);
    const { mean, square } = adamWState([x]);
    const made = form.run(() => adamWOperator.run({ 'parameters[0]': x, 'gradients[0]': x, mean, square }));
    expect(made['parameters[0]']!.shape).toEqual([2, 2]);
  });
});
