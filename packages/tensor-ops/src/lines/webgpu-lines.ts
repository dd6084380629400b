import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelCall } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import type { WebGpuUniform } from '../webgpu/web-gpu-program';
import type { Lines } from './lines';

/** A program in which a group of threads owns each line. */
export interface LineProgram<Output extends string> {
  name: string;
  inputs: Record<string, TensorInfo | undefined>;
  outputs: Record<Output, number[]>;
  uniforms?: Record<string, WebGpuUniform>;
  /**
   * WGSL for one line: `line`, `count`, `isFirst` (the thread that writes what a line has once), `sumOfLine`, `maxOfLine`, and
   * loops `for (var j = start; j < stop; j += along) { let i = elementOf(line, j); }` over this thread's elements. Every thread
   * runs it, so that all meet at the reductions; where there is no line, `start` is not below `stop` and `isFirst` is false.
   */
  body: string;
}

/**
 * Runs a program over lines. Lines that are not contiguous are taken sixteen side by side, for their elements are neighbours in
 * memory.
 */
export function runLineProgram<Output extends string>(
  { backend }: KernelCall,
  { outer, count, inner }: Lines,
  { name, inputs, outputs, uniforms, body }: LineProgram<Output>,
): Record<Output, TensorInfo> {
  const gpu = webGpuBackend(backend);
  const across = inner === 1 ? 1 : 16;
  const along = inner === 1 ? (count > 512 ? 256 : 64) : 16;
  const lines = outer * inner;
  const shapes = Object.entries<number[]>(outputs).map(([output, shape]) => [output, { shape }]);
  const reduction = (reduced: string, combine: (a: string, b: string) => string) => `
fn ${reduced}OfLine(value: f32, id: vec3u) -> f32 {
  workgroupBarrier();
  parts[id.y * across + id.x] = value;
  for (var half = along / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    let at = id.y * across + id.x;
    if (id.y < half) { parts[at] = ${combine('parts[at]', 'parts[at + half * across]')}; }
  }
  workgroupBarrier();
  return parts[id.x];
}`;
  return runProgram(gpu, {
    name,
    inputs: Object.fromEntries(Object.entries(inputs).filter(([, info]) => info)) as Record<string, TensorInfo>,
    outputs: Object.fromEntries(shapes) as Record<Output, { shape: number[] }>,
    uniforms: {
      lines: { type: 'u32', value: lines },
      count: { type: 'u32', value: count },
      inner: { type: 'u32', value: inner },
      ...uniforms,
    },
    workgroupSize: [across, along, 1],
    workgroups: [Math.min(Math.ceil(lines / across), gpu.device.limits.maxComputeWorkgroupsPerDimension), 1, 1],
    code: `
const across = ${across}u;
const along = ${along}u;
const lowest = -3.4028234e38;
var<workgroup> parts: array<f32, ${across * along}>;
${body.includes('sumOfLine') ? reduction('sum', (a, b) => `${a} + ${b}`) : ''}
${body.includes('maxOfLine') ? reduction('max', (a, b) => `max(${a}, ${b})`) : ''}
fn elementOf(line: u32, j: u32) -> u32 { return (line / uniforms.inner * uniforms.count + j) * uniforms.inner + line % uniforms.inner; }
fn main(@builtin(local_invocation_id) id: vec3u, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var block = group.x; block * across < uniforms.lines; block += groups.x) {
    let line = block * across + id.x;
    let exists = line < uniforms.lines;
    let isFirst = exists && id.y == 0u;
    let count = uniforms.count;
    let start = id.y;
    let stop = select(0u, count, exists);
    ${body}
  }
}`,
  });
}
