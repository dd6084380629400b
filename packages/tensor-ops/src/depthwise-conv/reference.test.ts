import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import { depthwiseReference } from './reference';
import { geometryOfShapes } from './test-calls';

test.each([
  [[2, 5, 3], [4], { causal: false, dilation: 2 }],
  [[2, 5, 3], [3], { causal: true, dilation: 1 }],
  [[1, 4, 5, 2], [2, 3], { dilation: 1 }],
])('the gradients of the reference are those of central differences: %s, window %s, %o', async (shape, window, options) => {
  const random = new SeededRandom(1);
  const geometry = geometryOfShapes(shape, window, options);
  const inputs = { x: random.normals(shape).data, kernel: random.normals([...window, shape.at(-1)!]).data };
  const cotangent = random.normals(shape).data;
  const expected = numericalGradient((at) => depthwiseReference(geometry, at.x, at.kernel).output, inputs, { cotangent });
  const { dX, dKernel } = depthwiseReference(geometry, inputs.x, inputs.kernel, cotangent);
  await assertClose('dX', dX, expected.x!, { relative: 1e-9, absolute: 1e-11 });
  await assertClose('dKernel', dKernel, expected.kernel!, { relative: 1e-9, absolute: 1e-11 });
});
