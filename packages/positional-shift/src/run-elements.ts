import { runProgram, type WebGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';

const THREADS = 64;
const MOST_GROUPS = 32768;

/** A WebGPU program that makes one tensor, an element at a time. */
export interface ElementProgram {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly shape: number[];
  /** Integers, beside `size`, the number of elements. */
  readonly uniforms: Readonly<Record<string, number>>;
  /** WGSL with `fn element(i: i32) -> f32`. */
  readonly code: string;
}

/** One thread per element of the result. */
export function runElements(backend: WebGpuBackend, program: ElementProgram): TensorInfo {
  const size = util.sizeFromShape(program.shape);
  const uniforms = Object.entries({ ...program.uniforms, size });
  return runProgram(backend, {
    name: program.name,
    inputs: program.inputs,
    outputs: { output: { shape: program.shape } },
    uniforms: Object.fromEntries(uniforms.map(([name, value]) => [name, { type: 'i32', value }])),
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.min(Math.ceil(size / THREADS), MOST_GROUPS), 1, 1],
    code: `
${program.code}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = i32(id.x); i < uniforms.size; i += i32(groups.x * workgroupSize.x)) { output[i] = element(i); }
}`,
  }).output;
}

/** The sum of `partial` `[chunks, ...]` over its first axis, in order. */
export function sumOfParts(backend: WebGpuBackend, partial: TensorInfo, shape: number[]): TensorInfo {
  return runElements(backend, {
    name: 'ShiftSumOfParts',
    inputs: { partial },
    shape,
    uniforms: { chunks: partial.shape[0]! },
    code: `
fn element(i: i32) -> f32 {
  var sum = 0.0;
  for (var chunk = 0; chunk < uniforms.chunks; chunk++) { sum += partial[chunk * uniforms.size + i]; }
  return sum;
}`,
  });
}
