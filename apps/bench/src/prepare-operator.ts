import type { PreparedCase } from './check-operator';
import { Draw, type Input } from './draw';
import type { OperatorCase, Sizes } from './operator-case';

/** The inputs of a case: the same numbers on every call and machine. */
export function drawInputs(operatorCase: OperatorCase, sizes: Sizes, draw = new Draw(11)): Record<string, Input> {
  return operatorCase.inputs(sizes, draw);
}

/** Draws the inputs of a case and computes what the reference makes of them. */
export function prepareOperator(operatorCase: OperatorCase, sizes: Sizes): PreparedCase {
  const draw = new Draw(11);
  const inputs = drawInputs(operatorCase, sizes, draw);
  const output = operatorCase.reference(inputs, sizes);
  const dOutput = draw.normals([output.length]).data as Float32Array;
  return { operatorCase, sizes, inputs, dOutput, output, gradients: operatorCase.gradients?.(inputs, dOutput, sizes) ?? {} };
}
