import { type KernelCall, runProgram } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';
import { chunkSums } from './webgpu-chunk-sums';
import {
  acceptsSimple,
  attendsSource,
  elementSource,
  laneThreads,
  laneWorkgroups,
  pick,
  simpleSizes,
  u32,
  wanted,
} from './webgpu-sizes';

/**
 * Steps of time per thread. Sums over time are made in up to 64 parts, and every thread that needs a total adds them up for itself:
 * as many steps as it then takes itself, and no dispatch of their own.
 */
const stepsPerThread = (time: number) => Math.max(32, Math.ceil(time / 64));

/** Two dispatches: sums over parts of time, then their total, the gate and what is saved. */
export const webgpuAftSimple = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const sizes = simpleSizes(call);
    const { backend, time, dim, lanes, activation } = sizes;
    const steps = stepsPerThread(time);
    const parts = Math.ceil(time / steps);
    const partial = chunkSums(call, sizes, steps);
    const outputs = wanted(call, ['output', 'context', 'logNormalizer']);
    const made = runProgram(backend, {
      name: 'AftSimpleGate',
      inputs: { ...pick(call.inputs, activation === null ? [] : ['query']), partial },
      outputs,
      uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), parts: u32(parts), steps: u32(steps) },
      workgroupSize: [laneThreads, 1, 1],
      workgroups: laneWorkgroups(lanes, parts),
      code: `${runningSums} ${elementSource} ${gateSource(activation)}
        fn main(@builtin(global_invocation_id) id: vec3u) {
          let lane = id.x;
          if (lane >= uniforms.lanes) { return; }
          var sums = nothing;
          for (var part = 0u; part < uniforms.parts; part++) {
            let i = part * 3u * uniforms.lanes + lane;
            sums = merged(sums, Sums(partial[i], partial[i + uniforms.lanes], partial[i + 2u * uniforms.lanes]));
          }
          let mean = meanOf(sums);
          ${outputs.context ? 'if (id.y == 0u) { context[lane] = mean; logNormalizer[lane] = logOf(sums); }' : ''}
          let end = min((id.y + 1u) * uniforms.steps, uniforms.time);
          for (var t = id.y * uniforms.steps; t < end; t++) {
            let i = elementOf(lane, t);
            output[i] = gated(i).x * mean;
          }
        }`,
    });
    backend.disposeData(partial.dataId);
    return made;
  },
};

/** Two dispatches: the query's gradient with the sum of what every target receives, then the gradients of key and value. */
export const webgpuAftSimpleBackward = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { backend, time, dim, lanes, activation } = simpleSizes(call);
    const steps = stepsPerThread(time);
    const parts = Math.ceil(time / steps);
    const uniforms = { lanes: u32(lanes), time: u32(time), dim: u32(dim), steps: u32(steps) };
    const { dQuery, partial } = runProgram(backend, {
      name: 'AftSimpleBackwardQuery',
      inputs: pick(call.inputs, [...(activation === null ? [] : ['query']), 'context', 'dOutput']),
      outputs: { dQuery: { shape: call.outputShapes.dQuery! }, partial: { shape: [parts, lanes] } },
      uniforms,
      workgroupSize: [laneThreads, 1, 1],
      workgroups: laneWorkgroups(lanes, parts),
      code: `${elementSource} ${gateSource(activation)}
        fn main(@builtin(global_invocation_id) id: vec3u) {
          let lane = id.x;
          if (lane >= uniforms.lanes) { return; }
          var received = 0.0;
          let end = min((id.y + 1u) * uniforms.steps, uniforms.time);
          for (var t = id.y * uniforms.steps; t < end; t++) {
            let i = elementOf(lane, t);
            let gate = gated(i);
            dQuery[i] = dOutput[i] * context[lane] * gate.y;
            received = fma(dOutput[i], gate.x, received);
          }
          partial[id.y * uniforms.lanes + lane] = received;
        }`,
    });
    const { dKey, dValue } = runProgram(backend, {
      name: 'AftSimpleBackwardSources',
      inputs: { ...pick(call.inputs, ['key', 'value', 'keyMask', 'context', 'logNormalizer']), partial },
      outputs: { dKey: { shape: call.outputShapes.dKey! }, dValue: { shape: call.outputShapes.dValue! } },
      uniforms: { ...uniforms, parts: u32(parts) },
      workgroupSize: [laneThreads, 1, 1],
      workgroups: laneWorkgroups(lanes, parts),
      code: `${elementSource} ${attendsSource(call.inputs)}
        fn main(@builtin(global_invocation_id) id: vec3u) {
          let lane = id.x;
          if (lane >= uniforms.lanes) { return; }
          var received = 0.0;
          for (var part = 0u; part < uniforms.parts; part++) { received += partial[part * uniforms.lanes + lane]; }
          let end = min((id.y + 1u) * uniforms.steps, uniforms.time);
          for (var t = id.y * uniforms.steps; t < end; t++) {
            let i = elementOf(lane, t);
            var gradient = vec2f(0.0);
            if (attends(lane, t)) {
              let dv = exp(key[i] - logNormalizer[lane]) * received;
              gradient = vec2f(dv * (value[i] - context[lane]), dv);
            }
            dKey[i] = gradient.x;
            dValue[i] = gradient.y;
          }
        }`,
    });
    backend.disposeData(partial.dataId);
    return { dQuery, dKey, dValue };
  },
};
