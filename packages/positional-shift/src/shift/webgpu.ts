import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { boundaryCode } from '../boundary';
import { boundaryFunctions } from '../wgsl-boundary';
import { layoutOf } from './layout';

const THREADS = 64;
const MOST_GROUPS = 32768;

/** One thread per element of the result. */
function run({ backend, attributes }: KernelCall, x: TensorInfo, adjoint: boolean): TensorInfo {
  const { length, inner, offset, boundary } = layoutOf(x.shape, attributes);
  const size = util.sizeFromShape(x.shape);
  const uniforms = { size, length, inner, offset, boundary: boundaryCode(boundary) };
  return runProgram(webGpuBackend(backend), {
    name: adjoint ? 'ShiftBackward' : 'Shift',
    inputs: { x },
    outputs: { output: { shape: x.shape } },
    uniforms: Object.fromEntries(Object.entries(uniforms).map(([name, value]) => [name, { type: 'i32', value }])),
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.min(Math.ceil(size / THREADS), MOST_GROUPS), 1, 1],
    code: `
${boundaryFunctions(adjoint)}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = i32(id.x); i < uniforms.size; i += i32(groups.x * workgroupSize.x)) {
    let place = i / uniforms.inner % uniforms.length;
    let start = i - place * uniforms.inner;
    let end = endOf(place, uniforms.offset, uniforms.length);
    var sum = 0.0;
    for (var at = firstOf(place, uniforms.offset, uniforms.length); at < end; at++) { sum += x[start + at * uniforms.inner]; }
    let other = otherOf(place, uniforms.offset, uniforms.length);
    if (other >= 0) { sum += x[start + other * uniforms.inner]; }
    output[i] = sum;
  }
}`,
  }).output;
}

export const webgpuShift: FusedKernel = {
  run: (call) => ({ output: run(call, call.inputs.x!, false) }),
};

export const webgpuShiftBackward: FusedKernel = {
  run: (call) => ({ dX: run(call, call.inputs.dOutput!, true) }),
};
