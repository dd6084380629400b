import { exp, loadLanes, madd, maximum, minimum, splat, storeLanes } from './math';
import { normalTail } from './normal-tail';

/** `2 sqrt(2 / pi)`, and the same times the 0.044715 of the tanh form. */
const SLOPE: f32 = 1.5957691216057308;
const CUBIC: f32 = 0.07135481627260025;

/** The normal distribution below x, given e^(-x^2 / 2). */
// @ts-ignore: decorator
@inline
function normalBelow(x: v128, bell: v128): v128 {
  const beyond = normalTail(f32x4.abs(x), bell);
  return v128.bitselect(beyond, f32x4.sub(splat(1.0), beyond), f32x4.lt(x, splat(0.0)));
}

// @ts-ignore: decorator
@inline
function bellOf(x: v128): v128 {
  return exp(f32x4.mul(f32x4.mul(x, x), splat(-0.5)));
}

/** x where the gate of the tanh form still changes; beyond, its cube would overflow. NaN stays. */
// @ts-ignore: decorator
@inline
function nearby(x: v128): v128 {
  return minimum(maximum(x, splat(-30.0)), splat(30.0));
}

/** The sigmoid that equals `(1 + tanh(...)) / 2` of the tanh form. */
// @ts-ignore: decorator
@inline
function gateOf(x: v128): v128 {
  const z = f32x4.mul(x, madd(f32x4.mul(x, x), splat(-CUBIC), splat(-SLOPE)));
  return f32x4.div(splat(1.0), f32x4.add(splat(1.0), exp(z)));
}

export function forward(x: usize, output: usize, size: i32, tanhForm: bool): void {
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    const value = loadLanes(x + at, size - i);
    const gate = tanhForm ? gateOf(nearby(value)) : normalBelow(value, bellOf(value));
    storeLanes(output + at, f32x4.mul(value, gate), size - i);
  }
}

export function backward(x: usize, dOutput: usize, dX: usize, size: i32, tanhForm: bool): void {
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    let value = loadLanes(x + at, size - i);
    let slope: v128;
    if (tanhForm) {
      value = nearby(value);
      const gate = gateOf(value);
      const steepness = madd(f32x4.mul(value, value), splat(3 * CUBIC), splat(SLOPE));
      slope = madd(f32x4.mul(f32x4.mul(value, gate), f32x4.sub(splat(1.0), gate)), steepness, gate);
    } else {
      const bell = bellOf(value);
      slope = madd(f32x4.mul(value, splat(0.3989422804014327)), bell, normalBelow(value, bell));
    }
    storeLanes(dX + at, f32x4.mul(loadLanes(dOutput + at, size - i), slope), size - i);
  }
}
