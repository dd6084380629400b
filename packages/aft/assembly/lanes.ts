// Code is shipped, so it is kept short: the body of a row has its exponential inline, its remainder of one to three channels calls it.
import { exp, log, tanh } from '../../tensor-ops/assembly/math';

function expCall(x: v128): v128 {
  return exp(x);
}

function logCall(x: v128): v128 {
  return log(x);
}

export function tanhCall(x: v128): v128 {
  return tanh(x);
}

/** e^x for a vector of which `lanes` count. */
// @ts-ignore: decorator
@inline
export function expLanes(x: v128, lanes: i32): v128 {
  return lanes == 4 ? exp(x) : expCall(x);
}

/** ln x likewise. */
// @ts-ignore: decorator
@inline
export function logLanes(x: v128, lanes: i32): v128 {
  return lanes == 4 ? log(x) : logCall(x);
}
