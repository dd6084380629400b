// The composed forms in a browser: every operator, forward and backward, against float64, on WebGL, for which no package has a kernel, and on WebGPU.
import { withImplementation } from '@mixfold/tensor-ops';
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Call, checkCall } from './check-operator';
import type { OperatorCase } from './operator-case';
import { operatorCases } from './operators/index';
import { prepareOperator } from './prepare-operator';

/** Minutes each on a software GPU as tfjs's own shaders. */
const tooSlowOnWebGpu = ({ name }: OperatorCase) => /^aft-(full|local)/.test(name);

const cases = {
  webgl: operatorCases,
  webgpu: operatorCases.filter((operatorCase) => !tooSlowOnWebGpu(operatorCase)),
};

describe.each(['webgl', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(async () => {
    expect(await tf.setBackend(backend)).toBe(true);
  });

  test.each(cases[backend].map((operatorCase) => [operatorCase.name, operatorCase] as const))('%s', async (_, operatorCase) => {
    const before = tf.memory().numTensors;
    const prepared = prepareOperator(operatorCase, operatorCase.sizes.check);
    const composed: Call = (...call) => withImplementation('composed', () => operatorCase.ours(...call));
    // What the architecture promises for a composed form on any backend.
    await checkCall(prepared, composed, tolerances.webgpu);
    expect(tf.memory().numTensors).toBe(before);
  });
});
