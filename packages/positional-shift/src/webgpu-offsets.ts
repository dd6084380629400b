import type { WebGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Offset2d } from './shift-convolution/geometry';

/** Runs `work` with the offsets of the terms as an int32 tensor, two each. */
export function withOffsets<T>(backend: WebGpuBackend, offsets: readonly Offset2d[], work: (table: TensorInfo) => T): T {
  const table = backend.makeTensorInfo([offsets.length, 2], 'int32');
  backend.tensorMap.get(table.dataId).values = Int32Array.from(offsets.flat());
  try {
    return work(table);
  } finally {
    backend.disposeData(table.dataId);
  }
}

/**
 * WGSL of what a term reads: `readAt(position, offset place of the term, channel, dim)` is the sum of `element(index)` over the sources. Needs
 * `boundaryFunctions`, the uniforms `height` and `width`, and the input `offsets`.
 */
export const readFunction = (name: string, input: string): string => `
fn ${name}Line(line: i32, first: i32, end: i32, other: i32, channel: i32, dim: i32) -> f32 {
  var sum = 0.0;
  for (var at = first; at < end; at++) { sum += ${input}[(line + at) * dim + channel]; }
  if (other >= 0) { sum += ${input}[(line + other) * dim + channel]; }
  return sum;
}
fn ${name}(position: i32, term: i32, channel: i32, dim: i32) -> f32 {
  let dy = offsets[2 * term];
  let dx = offsets[2 * term + 1];
  let column = position % uniforms.width;
  let line = position / uniforms.width;
  let y = line % uniforms.height;
  let image = line - y;
  let first = firstOf(column, dx, uniforms.width);
  let end = endOf(column, dx, uniforms.width);
  let other = otherOf(column, dx, uniforms.width);
  var sum = 0.0;
  let endY = endOf(y, dy, uniforms.height);
  for (var sy = firstOf(y, dy, uniforms.height); sy < endY; sy++) {
    sum += ${name}Line((image + sy) * uniforms.width, first, end, other, channel, dim);
  }
  let otherY = otherOf(y, dy, uniforms.height);
  if (otherY >= 0) { sum += ${name}Line((image + otherY) * uniforms.width, first, end, other, channel, dim); }
  return sum;
}`;
