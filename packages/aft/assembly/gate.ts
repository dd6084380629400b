// The query gate of every AFT operator. Activation codes are places in `queryActivations` of src/query-activation.ts.
import { exp, maximum, minimum, splat } from '../../tensor-ops/assembly/math';
import { tanhCall } from './slots';

export const NO_GATE: i32 = 0;
const LINEAR: i32 = 1;
const SIGMOID: i32 = 2;
const TANH: i32 = 3;

/** `context` gated by the query, where no gradient is wanted. */
// @ts-ignore: decorator
@inline
export function gated(context: v128, query: v128, activation: i32): v128 {
  if (activation == SIGMOID) return f32x4.div(context, f32x4.add(splat(1.0), exp(f32x4.neg(query))));
  return f32x4.mul(context, gateOf(query, query, activation));
}

/** What gate and slope of a sigmoid share: e^-query, at most e^87 so that the slope stays finite. Nothing for the others. */
// @ts-ignore: decorator
@inline
export function gateExponential(query: v128, activation: i32): v128 {
  return activation == SIGMOID ? exp(minimum(f32x4.neg(query), splat(87.0))) : query;
}

/** The gate; relu is what remains, so NaN passes through every one. */
// @ts-ignore: decorator
@inline
export function gateOf(query: v128, exponential: v128, activation: i32): v128 {
  if (activation == SIGMOID) return f32x4.div(splat(1.0), f32x4.add(splat(1.0), exponential));
  if (activation == TANH) return tanhCall(query);
  if (activation == LINEAR) return query;
  return maximum(query, splat(0.0));
}

/** The derivative of the gate. The sigmoid's is a product, not the difference 1 - gate, so it keeps its digits. */
// @ts-ignore: decorator
@inline
export function gateSlope(query: v128, exponential: v128, gate: v128, activation: i32): v128 {
  const one = splat(1.0);
  if (activation == SIGMOID) return f32x4.mul(f32x4.mul(exponential, gate), gate);
  if (activation == TANH) return f32x4.mul(f32x4.sub(one, gate), f32x4.add(one, gate));
  if (activation == LINEAR) return one;
  return v128.and(one, f32x4.gt(query, splat(0.0)));
}
