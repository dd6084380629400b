// The composed forms on tfjs's WebGL backend, for which no package has a kernel: every operator, forward and backward, against float64.
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgl';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkCall } from './check-operator';
import { operatorCases } from './operators/index';
import { prepareOperator } from './prepare-operator';

describe('on webgl', () => {
  beforeAll(async () => {
    expect(await tf.setBackend('webgl')).toBe(true);
  });

  test.each(operatorCases.map((operatorCase) => [operatorCase.name, operatorCase] as const))('%s', async (_, operatorCase) => {
    const before = tf.memory().numTensors;
    // What the architecture promises for a composed form on any backend.
    await checkCall(prepareOperator(operatorCase, operatorCase.sizes.check), operatorCase.ours, tolerances.webgpu);
    expect(tf.memory().numTensors).toBe(before);
  });
});
