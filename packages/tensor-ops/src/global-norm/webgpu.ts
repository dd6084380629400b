import { util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { itemsOf } from '../tensor-list/tensor-list';
import { acceptsList, gathered } from '../tensor-list/webgpu-list';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

const THREADS = 64;
const MOST_GROUPS = 256;

/** Sums a term over elements `start` by `by`, and over the threads of a group as a tree. */
const sumOfGroup = (term: string) => `
var<workgroup> parts: array<f32, ${THREADS}>;
fn sumOfGroup(start: u32, by: u32, thread: u32) -> f32 {
  var sum = 0.0;
  for (var i = start; i < uniforms.size; i += by) { sum += ${term}; }
  parts[thread] = sum;
  for (var half = ${THREADS / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { parts[thread] += parts[thread + half]; }
  }
  workgroupBarrier();
  return parts[0];
}`;

/** Two dispatches: the sum of squares of each group, and the root of their sum. */
export const webgpuGlobalNorm: FusedKernel = {
  accepts: acceptsList('tensors'),
  run({ inputs, backend }) {
    const gpu = webGpuBackend(backend);
    const x = gathered(gpu, itemsOf('tensors', inputs));
    const size = util.sizeFromShape(x.shape);
    const groups = Math.min(Math.ceil(size / THREADS), MOST_GROUPS);
    const { partial } = runProgram(gpu, {
      name: 'SquaresOfGroups',
      inputs: { x },
      outputs: { partial: { shape: [groups] } },
      uniforms: { size: { type: 'u32', value: size } },
      workgroupSize: [THREADS, 1, 1],
      workgroups: [groups, 1, 1],
      code: `${sumOfGroup('x[i] * x[i]')}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u) {
  let sum = sumOfGroup(id.x, groups.x * ${THREADS}u, thread);
  if (thread == 0u) { partial[group.x] = sum; }
}`,
    });
    const { norm } = runProgram(gpu, {
      name: 'NormOfGroups',
      inputs: { partial },
      outputs: { norm: { shape: [] } },
      uniforms: { size: { type: 'u32', value: groups } },
      workgroupSize: [THREADS, 1, 1],
      workgroups: [1, 1, 1],
      code: `${sumOfGroup('partial[i]')}
fn main(@builtin(local_invocation_index) thread: u32) {
  let sum = sumOfGroup(thread, ${THREADS}u, thread);
  if (thread == 0u) { norm[0] = sqrt(sum); }
}`,
    });
    for (const { dataId } of [x, partial]) gpu.disposeData(dataId);
    return { norm };
  },
};
