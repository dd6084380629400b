import * as math from './math';

// Each function of `math.ts` over an array, for its test: y[i] = f(x[i]), i < count.

export function exp(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) math.storeLanes(y + 4 * i, math.exp(math.loadLanes(x + 4 * i, count - i)), count - i);
}

export function expm1(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) math.storeLanes(y + 4 * i, math.expm1(math.loadLanes(x + 4 * i, count - i)), count - i);
}

export function log(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) math.storeLanes(y + 4 * i, math.log(math.loadLanes(x + 4 * i, count - i)), count - i);
}

export function sigmoid(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) math.storeLanes(y + 4 * i, math.sigmoid(math.loadLanes(x + 4 * i, count - i)), count - i);
}

export function tanh(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) math.storeLanes(y + 4 * i, math.tanh(math.loadLanes(x + 4 * i, count - i)), count - i);
}

export function scalarExp(x: usize, y: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<f32>(y + 4 * i, math.scalarExp(load<f32>(x + 4 * i)));
}
