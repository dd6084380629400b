import { add, clipByValue, erf, exp, mul, sigmoid, square, sub, type Tensor } from '@tensorflow/tfjs-core';
import type { GeluApproximation } from './gelu';

/** The tanh form is written with the sigmoid that equals `(1 + tanh(...)) / 2`. */
const SLOPE = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = SLOPE * 0.044715;

const normalBelow = (x: Tensor): Tensor => add(mul(erf(mul(x, Math.SQRT1_2)), 0.5), 0.5);

/**
 * x where the gate still changes; beyond, its cube would overflow. The difference keeps a NaN, which tfjs-wasm clips to a bound.
 */
const nearby = (x: Tensor): Tensor => add(clipByValue(x, -30, 30), sub(x, x));

const gateOf = (x: Tensor): Tensor => sigmoid(mul(x, add(mul(square(x), CUBIC), SLOPE)));

export function composedGelu({ x }: { x: Tensor }, { approximate }: { approximate: GeluApproximation }): Record<string, Tensor> {
  return { output: mul(x, approximate === 'tanh' ? gateOf(nearby(x)) : normalBelow(x)) };
}

export function composedGeluBackward(
  { x, dOutput }: { x: Tensor; dOutput: Tensor },
  { approximate }: { approximate: GeluApproximation },
): Record<string, Tensor> {
  if (approximate === 'none') {
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return { dX: mul(dOutput, add(normalBelow(x), mul(x, density))) };
  }
  const near = nearby(x);
  const gate = gateOf(near);
  const steepness = add(mul(square(near), 3 * CUBIC), SLOPE);
  return { dX: mul(dOutput, add(gate, mul(mul(mul(near, gate), sub(1, gate)), steepness))) };
}
