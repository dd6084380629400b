import { assertClose, rms, SeededRandom, type Tolerance, tensorOf } from '@mixfold/testing';
import { gradientFloor } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import { einsumGradientReference, einsumReference } from './reference';

/** Compares a differentiable function of tensors with an equation that says what it computes: the result and every gradient. */
export async function agreesWithEquation(
  call: (...operands: tf.Tensor[]) => tf.Tensor,
  equation: string,
  shapes: readonly (readonly number[])[],
  tolerance: Tolerance,
  resultShape?: readonly number[],
): Promise<void> {
  const random = new SeededRandom(shapes.flat().reduce((sum, size) => 7 * sum + size, equation.length));
  const operands = shapes.map((shape) => random.normals(shape));
  const expected = einsumReference(equation, operands);
  const shape = [...(resultShape ?? expected.shape)];
  const dy = { ...random.normals(shape), shape };
  const gradients = einsumGradientReference(equation, operands, dy);
  const { value, grads } = tf.valueAndGrads(call)(operands.map(tensorOf), tensorOf(dy));
  // A few terms of size one that cancel keep the rounding of the terms.
  await assertClose(
    `${equation} of ${JSON.stringify(shapes)}`,
    value,
    { ...expected, shape },
    { relative: tolerance.forward, rmsFloor: 1 },
  );
  const rmsFloor = Math.max(1, gradientFloor * Math.max(...gradients.map(({ data }) => rms(data))));
  for (const [i, gradient] of gradients.entries()) {
    await assertClose(`${equation}, gradient of operand ${i}`, grads[i]!, gradient, { relative: tolerance.gradient, rmsFloor });
  }
}
