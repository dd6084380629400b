import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { placeOnAxis } from '../shift/reference';
import { shiftMixture } from './shift-mixture';

const [batch, time, dim, heads] = [2, 7, 6, 3];
const offsets = [0, 2, -1, 9];

/** The mixture by its definition. */
function reference(x: ArrayLike<number>, weights: ArrayLike<number>, normalize: boolean): Float64Array {
  const output = new Float64Array(batch * time * dim);
  for (let i = 0; i < output.length; i++) {
    const head = Math.floor((i % dim) / (dim / heads));
    const n = Math.floor(i / dim) % time;
    const own = offsets.map((_, k) => weights[head * offsets.length + k]!);
    const total = own.reduce((sum, w) => sum + Math.exp(w), 0);
    for (const [k, d] of offsets.entries()) {
      const source = placeOnAxis(n - d, time, 'replicate');
      output[i]! += (normalize ? Math.exp(own[k]!) / total : own[k]!) * x[i + (source - n) * dim]!;
    }
  }
  return output;
}

describeForms('shiftMixture', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each([false, true])('agrees with the reference, gradients too, normalize %s', async (normalize) => {
    const random = new SeededRandom(1);
    const [x, weights] = [random.normals([batch, time, dim]), random.normals([heads, offsets.length])];
    const cotangent = random.normals([batch, time, dim]);
    const call = (...[a, b]: tf.Tensor[]) =>
      shiftMixture(a as tf.Tensor3D, b as tf.Tensor2D, { offsets, normalize, boundary: 'replicate' });
    const { value, grads } = form.run(() =>
      tf.valueAndGrads(call)([tensorOf(x), tensorOf(weights)], tensorOf<tf.Tensor3D>(cotangent)),
    );
    await assertClose('output', value, reference(x.data, weights.data, normalize), { relative: form.tolerance.forward });
    const expected = numericalGradient(
      (at) => reference(at.x!, at.weights!, normalize),
      { x: x.data, weights: weights.data },
      { cotangent: cotangent.data },
    );
    await assertClose('dX', grads[0]!, expected.x!, { relative: form.tolerance.gradient });
    await assertClose('dWeights', grads[1]!, expected.weights!, { relative: form.tolerance.gradient });
  });

  test('names what it refuses, and leaks nothing', async () => {
    const x = tf.ones([2, 5, 6]) as tf.Tensor3D;
    const run = (shape: [number, number], given: unknown) => () =>
      form.run(() => shiftMixture(x, tf.ones(shape), { offsets: given as number[] }));
    expect(run([3, 2], [0])).toThrow("shiftMixture: axis 'offsets' is 2 in weights but there are 1 offsets");
    expect(run([4, 1], [0])).toThrow('shiftMixture: heads must divide dim, got 4 rows of weights and dim 6');
    expect(run([3, 1], 1)).toThrow('shiftMixture: option offsets must be an array of integers, got 1');
    expect(run([3, 1], [0.5])).toThrow('offsets[0] must be an integer, got 0.5');
    const weights = tf.ones([3, 2]) as tf.Tensor2D;
    await expectNoLeak(() => form.run(() => shiftMixture(x, weights, { offsets: [0, 1], normalize: true })).dispose());
  });
});
