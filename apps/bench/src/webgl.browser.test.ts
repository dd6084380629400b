// The composed forms on WebGL, for which no package has a kernel: every operator, forward and backward, against float64.
import { withImplementation } from '@mixfold/tensor-ops';
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-webgl';
import { beforeAll, expect, test } from 'vitest';
import { type Call, checkCall } from './check-operator';
import { operatorCases } from './operators/index';
import { prepareOperator } from './prepare-operator';

// Once for aft-conv-2d: the composed form does not change with the number of heads, and takes long to compile.
const cases = operatorCases.filter(({ name }) => name !== 'aft-conv-2d-384').map((each) => [each.name, each] as const);

beforeAll(async () => {
  expect(await tf.setBackend('webgl')).toBe(true);
});

test.each(cases)('%s', async (_, operatorCase) => {
  const before = tf.memory().numTensors;
  const prepared = prepareOperator(operatorCase, operatorCase.sizes.check);
  const composed: Call = (...call) => withImplementation('composed', () => operatorCase.ours(...call));
  // What the architecture promises for a composed form on any backend.
  await checkCall(prepared, composed, tolerances.webgpu);
  expect(tf.memory().numTensors).toBe(before);
});
