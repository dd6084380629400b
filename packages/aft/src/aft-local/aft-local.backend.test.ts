import {
  assertClose,
  describeForms,
  rms,
  runConformance,
  SeededRandom,
  type ShapedValues,
  type TestForm,
} from '@mixfold/testing';
import type * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import type { QueryActivation } from '../query-activation';
import { type AftLocalOptions, aftLocal } from './aft-local';
import {
  biasKinds,
  biasOf,
  differentiateLocal,
  fusedBackends,
  type LocalArguments,
  type LocalOptions,
  randomArguments,
  referenceLocal,
} from './test-calls';

async function agreesWithReference(form: TestForm, given: LocalArguments, cotangent: ShapedValues, options: LocalOptions) {
  const expected = referenceLocal(given, cotangent, options);
  const actual = differentiateLocal(form, given, cotangent, options);
  await assertClose('output', actual.output, expected.output, { relative: form.tolerance.forward });
  const biases = Object.entries(expected.dBias);
  const rmsFloor =
    1e-2 * Math.max(...[expected.dQuery, expected.dKey, expected.dValue, ...biases.map(([, x]) => x.data)].map(rms));
  const bound = { relative: form.tolerance.gradient, rmsFloor };
  for (const name of ['dQuery', 'dKey', 'dValue'] as const) await assertClose(name, actual[name], expected[name], bound);
  for (const [name, gradient] of biases) await assertClose(`gradient of ${name}`, actual.dBias[name]!, gradient, bound);
}

/** Shape and window. */
const sizes: [number, number, number, number][] = [
  [1, 1, 1, 1],
  [2, 2, 3, 2],
  [3, 7, 4, 1],
  [2, 13, 9, 20],
  [1, 16, 6, 5],
  [2, 17, 31, 3],
  [1, 63, 3, 7],
  [1, 64, 2, 33],
  [2, 65, 5, 65],
  [1, 131, 2, 4],
];

describeForms('aftLocal', { fused: fusedBackends }, (form) => {
  for (const file of ['aftLocal', 'aftLocalHostile', 'aftLocalKeyMask']) {
    runConformance(form, file, ({ query, key, value, keyMask, ...bias }, attrs) => {
      const options = { ...(attrs as unknown as AftLocalOptions), keyMask };
      return aftLocal(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, biasOf(bias), options);
    });
  }

  for (const causal of [false, true]) {
    for (const kind of biasKinds) {
      test.each(sizes)(
        `agrees with the reference at [%i, %i, %i], window %i, ${kind}, causal ${causal}`,
        async (batch, time, dim, windowSize) => {
          const random = new SeededRandom(time);
          const shape = [batch, time, dim] as const;
          const given = randomArguments(random, shape, { kind, windowSize, spread: 2 });
          await agreesWithReference(form, given, random.normals(shape), { causal, windowSize });
        },
      );
    }

    test.each(['dense', 'factored'] as const)(`without a window is AFT-simple, %s, causal ${causal}`, async (kind) => {
      const random = new SeededRandom(2);
      const shape = [2, 9, 5] as const;
      await agreesWithReference(form, randomArguments(random, shape, { kind, windowSize: 0 }), random.normals(shape), {
        causal,
        windowSize: 0,
      });
    });

    test.each<QueryActivation>([null, 'linear', 'sigmoid', 'tanh', 'relu'])(
      `gates by %s under a mask, causal ${causal}`,
      async (queryActivation) => {
        const random = new SeededRandom(3);
        const shape = [3, 19, 5] as const;
        const keyMask = random.mask([3, 19], 0.6);
        // The first batch starts with nothing to attend to, the second has nothing at all.
        keyMask.data.fill(0, 0, 4).fill(0, 19, 38);
        const given = { ...randomArguments(random, shape, { kind: 'banded', windowSize: 4 }), keyMask };
        await agreesWithReference(form, given, random.normals(shape), { causal, queryActivation, windowSize: 4 });
      },
    );
  }
});
