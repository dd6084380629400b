import { type KernelCall, runProgram } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { runningSums } from '../wgsl/running-sums';
import { attendsSource, elementSource, laneThreads, laneWorkgroups, pick, type SimpleSizes, u32 } from './webgpu-sizes';

/** The largest key, numerator and denominator of each chunk of time by itself, `[chunks, 3, lanes]`; each thread walks through one. */
export function chunkSums({ inputs }: KernelCall, { backend, time, dim, lanes }: SimpleSizes, chunk: number): TensorInfo {
  const chunks = Math.ceil(time / chunk);
  return runProgram(backend, {
    name: 'AftSimpleSums',
    inputs: pick(inputs, ['key', 'value', 'keyMask']),
    outputs: { partial: { shape: [chunks, 3, lanes] } },
    uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), chunk: u32(chunk) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, chunks),
    code: `${runningSums} ${elementSource} ${attendsSource(inputs)}
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        var sums = nothing;
        let end = min((id.y + 1u) * uniforms.chunk, uniforms.time);
        for (var t = id.y * uniforms.chunk; t < end; t++) {
          let i = elementOf(lane, t);
          if (attends(lane, t)) { sums = included(sums, key[i], value[i]); }
        }
        let c = id.y * 3u * uniforms.lanes + lane;
        partial[c] = sums.largest;
        partial[c + uniforms.lanes] = sums.numerator;
        partial[c + 2u * uniforms.lanes] = sums.denominator;
      }`,
  }).partial;
}
