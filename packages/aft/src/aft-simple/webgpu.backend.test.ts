import { implementationOf } from '@mixfold/tensor-ops';
import { assertAgrees, describeForms, SeededRandom, type ShapedValues, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftSimpleCausalOperator } from './aft-simple';
import { aftSimplePrefill, aftSimpleState } from './streaming';
import { differentiateSimple, randomArguments, referenceSimple, runSimple } from './test-calls';

/** The names of the programs that run while `fn` does, from tfjs's profile. */
async function programs(fn: () => tf.TensorContainer): Promise<string[]> {
  const { kernels } = await tf.profile(() => tf.tidy(() => void fn()));
  const infos = await Promise.all(kernels.map(({ extraInfo }) => extraInfo as unknown as Promise<string>));
  return infos.flatMap((info) => info.split(', ')).flatMap((entry) => entry.match(/^AftSimple\w*/) ?? []);
}

describeForms('the WebGPU kernels of aftSimple', { fused: ['webgpu'], only: ['webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  // Mask, state and what is saved need more buffers together than a program binds, so that a short call runs in chunks too.
  test.each([1, 16, 17, 40, 255, 256, 259])(
    'continues a masked sequence by %i steps, with gradients through the state',
    async (time) => {
      const [before, dim] = [21, 3];
      const stretches = [before, time].map((length) => ({
        ...randomArguments(random, [1, length, dim], 3),
        keyMask: random.mask([1, length], 0.6),
        cotangent: random.normals([1, length, dim]),
      })) as unknown as [Stretch, Stretch];
      // Only the later outputs count, so what the earlier sources receive has come through the state.
      stretches[0].cotangent.data.fill(0);
      const whole = joined(stretches);
      const expected = referenceSimple(whole, whole.cotangent, { causal: true });

      const [early, late] = stretches.map(({ query, key, value }) => [query, key, value].map((x) => tensorOf<tf.Tensor>(x)));
      const [earlyMask, lateMask] = stretches.map(({ keyMask }) => tensorOf<tf.Tensor2D>(keyMask)) as [tf.Tensor2D, tf.Tensor2D];
      const last = (...sources: tf.Tensor[]) => {
        const [q1, k1, v1, q2, k2, v2] = sources as tf.Tensor3D[];
        const { state } = aftSimplePrefill(q1!, k1!, v1!, aftSimpleState(1, dim), { keyMask: earlyMask });
        return aftSimplePrefill(q2!, k2!, v2!, state, { keyMask: lateMask }).output;
      };
      const { value, grads } = form.run(() =>
        tf.valueAndGrads(last)([...early!, ...late!], tensorOf<tf.Tensor3D>(stretches[1].cotangent)),
      );

      const [dQuery, dKey, dValue] = [0, 1, 2].map((i) => tf.concat([grads[i]!, grads[3 + i]!], 1)) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const lateOutput = expected.output.slice(before * dim);
      await assertAgrees(
        { output: value, dQuery, dKey, dValue },
        { ...expected, output: lateOutput },
        { relative: form.tolerance },
      );
    },
  );

  if (form.form === 'composed') return;

  test.each([
    [false, 300, ['AftSimpleSums', 'AftSimpleGate'], ['AftSimpleBackwardQuery', 'AftSimpleBackwardSources']],
    [true, 255, ['AftSimpleCausal'], ['AftSimpleCausalBackwardQuery', 'AftSimpleCausalBackwardSources']],
    [
      true,
      256,
      ['AftSimpleSums', 'AftSimpleCausalCarry', 'AftSimpleCausalChunks'],
      ['AftSimpleCausalBackwardQuery', 'AftSimpleCausalBackwardCarry', 'AftSimpleCausalBackwardSources'],
    ],
  ])('causal %s takes few dispatches at %i steps', async (causal, time, forward, backward) => {
    const shape = [1, time, 2];
    const given = randomArguments(random, shape);
    const cotangent = random.normals(shape);
    expect(await programs(() => runSimple(form, given, { causal }))).toEqual(forward);
    expect(await programs(() => differentiateSimple(form, given, cotangent, { causal }))).toEqual([...forward, ...backward]);
  });

  test('leaves to the composed form what its programs cannot bind or dispatch', () => {
    const at = (...shape: number[]) => implementationOf(aftSimpleCausalOperator, { query: shape, key: shape, value: shape });
    expect(at(8, 64, 128)).toMatchObject({ form: 'fused' });
    expect(at(70_000, 1, 64)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/^batch times dim is 4480000/) });
    expect(at(1, 2 ** 28, 4)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/would bind 8589934624 bytes/) });
  });

  test('gives the same bits on every run', async () => {
    for (const causal of [false, true]) {
      const shape = [2, 700, 5];
      const given = randomArguments(random, shape, 3);
      const cotangent = random.normals(shape);
      const [a, b] = [0, 1].map(() => differentiateSimple(form, given, cotangent, { causal }));
      for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const)
        expect(await a![name].data()).toEqual(await b![name].data());
    }
  });
});

type Filled = ShapedValues & { data: Float64Array };
type Stretch = Record<'query' | 'key' | 'value' | 'keyMask' | 'cotangent', Filled>;

/** Two stretches of one batch as one sequence. */
function joined([a, b]: [Stretch, Stretch]): Stretch {
  const join = (name: keyof Stretch): Filled => ({
    shape: [1, a[name].shape[1]! + b[name].shape[1]!, ...a[name].shape.slice(2)],
    data: Float64Array.of(...a[name].data, ...b[name].data),
  });
  return { query: join('query'), key: join('key'), value: join('value'), keyMask: join('keyMask'), cotangent: join('cotangent') };
}
