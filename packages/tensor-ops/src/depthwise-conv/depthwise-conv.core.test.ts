import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { depthwiseReference } from './reference';
import { convolve, geometryOfShapes } from './test-calls';

test.each([
  [[2, 7, 3], [3]],
  [
    [1, 4, 5, 3],
    [2, 3],
  ],
])('the gradients of a convolution of %s need none of the gradients of tfjs', async (shape, window) => {
  const random = new SeededRandom(1);
  const [x, kernel, cotangent] = [random.normals(shape), random.normals([...window, 3]), random.normals(shape)];
  const gradients = tf.grads((...[a, b]: tf.Tensor[]) => convolve(a!, b!, { dilation: 2 }));
  const [dX, dKernel] = gradients([tensorOf(x), tensorOf(kernel)], tensorOf(cotangent));
  const expected = depthwiseReference(geometryOfShapes(shape, window, { dilation: 2 }), x.data, kernel.data, cotangent.data);
  await assertClose('dX', dX!, expected.dX, { relative: tolerances.cpu.gradient });
  await assertClose('dKernel', dKernel!, expected.dKernel, { relative: tolerances.cpu.gradient });
});
