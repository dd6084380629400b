import { type KernelCall, runProgram } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';
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

/** Lanes and time slices of a workgroup that sums over time. */
const [sumLanes, sumSlices] = [32, 8];

/** Sums over time are made in up to 32 parts, which every later thread adds up for itself. */
const sumChunk = (time: number) => Math.max(128, Math.ceil(time / 32));

/** A workgroup's loop over its part of time, each thread every eighth step, then a tree over the slices. */
const sumOverTime = (type: string, zero: string, step: string, merge: string, store: string) => `
  var<workgroup> slices: array<${type}, ${sumLanes * sumSlices}>;

  fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
    let lane = group.x * workgroupSize.x + local.x;
    var sum = ${zero};
    if (lane < uniforms.lanes) {
      let end = min((group.y + 1u) * uniforms.chunk, uniforms.time);
      for (var t = group.y * uniforms.chunk + local.y; t < end; t += workgroupSize.y) { ${step} }
    }
    let place = local.y * workgroupSize.x + local.x;
    slices[place] = sum;
    for (var count = workgroupSize.y / 2u; count > 0u; count /= 2u) {
      workgroupBarrier();
      if (local.y < count) {
        let a = slices[place];
        let b = slices[place + count * workgroupSize.x];
        slices[place] = ${merge};
      }
    }
    if (local.y == 0u && lane < uniforms.lanes) {
      let sum = slices[place];
      ${store}
    }
  }`;

/** Two dispatches: sums over parts of time, then their total, the gate and what is saved. */
export const webgpuAftSimple = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { backend, time, dim, lanes, activation } = simpleSizes(call);
    const chunk = sumChunk(time);
    const parts = Math.ceil(time / chunk);
    const shape = { lanes: u32(lanes), time: u32(time), dim: u32(dim) };
    const { partial } = runProgram(backend, {
      name: 'AftSimpleSums',
      inputs: pick(call.inputs, ['key', 'value', 'keyMask']),
      outputs: { partial: { shape: [parts, 3, lanes] } },
      uniforms: { ...shape, chunk: u32(chunk) },
      workgroupSize: [sumLanes, sumSlices, 1],
      workgroups: [Math.ceil(lanes / sumLanes), parts, 1],
      code: `${runningSums} ${elementSource} ${attendsSource(call.inputs)} ${sumOverTime(
        'Sums',
        'nothing',
        'if (attends(lane, t)) { let i = elementOf(lane, t); sum = included(sum, key[i], value[i]); }',
        'merged(a, b)',
        `let i = group.y * 3u * uniforms.lanes + lane;
         partial[i] = sum.largest;
         partial[i + uniforms.lanes] = sum.numerator;
         partial[i + 2u * uniforms.lanes] = sum.denominator;`,
      )}`,
    });
    const tile = Math.max(16, parts, Math.ceil(time / 32768));
    const saved = wanted(call, ['context', 'logNormalizer']);
    const outputs = runProgram(backend, {
      name: 'AftSimpleGate',
      inputs: { ...pick(call.inputs, activation === null ? [] : ['query']), partial },
      outputs: wanted(call, ['output', ...Object.keys(saved)]),
      uniforms: { ...shape, parts: u32(parts), tile: u32(tile) },
      workgroupSize: [laneThreads, 1, 1],
      workgroups: laneWorkgroups(lanes, Math.ceil(time / tile)),
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
          ${saved.context ? 'if (id.y == 0u) { context[lane] = mean; logNormalizer[lane] = logOf(sums); }' : ''}
          let end = min((id.y + 1u) * uniforms.tile, uniforms.time);
          for (var t = id.y * uniforms.tile; t < end; t++) {
            let i = elementOf(lane, t);
            output[i] = gated(i).x * mean;
          }
        }`,
    });
    backend.disposeData(partial.dataId);
    return outputs;
  },
};

/** Two dispatches: the query's gradient with the sum of what every target receives, then the gradients of key and value. */
export const webgpuAftSimpleBackward = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { backend, time, dim, lanes, activation } = simpleSizes(call);
    const chunk = sumChunk(time);
    const parts = Math.ceil(time / chunk);
    const shape = { lanes: u32(lanes), time: u32(time), dim: u32(dim) };
    const { dQuery, partial } = runProgram(backend, {
      name: 'AftSimpleBackwardQuery',
      inputs: pick(call.inputs, [...(activation === null ? [] : ['query']), 'context', 'dOutput']),
      outputs: { dQuery: { shape: call.outputShapes.dQuery! }, partial: { shape: [parts, lanes] } },
      uniforms: { ...shape, chunk: u32(chunk) },
      workgroupSize: [sumLanes, sumSlices, 1],
      workgroups: [Math.ceil(lanes / sumLanes), parts, 1],
      code: `${elementSource} ${gateSource(activation)} ${sumOverTime(
        'f32',
        '0.0',
        `let i = elementOf(lane, t);
         let gate = gated(i);
         dQuery[i] = dOutput[i] * context[lane] * gate.y;
         sum = fma(dOutput[i], gate.x, sum);`,
        'a + b',
        'partial[group.y * uniforms.lanes + lane] = sum;',
      )}`,
    });
    const tile = Math.max(16, parts, Math.ceil(time / 32768));
    const { dKey, dValue } = runProgram(backend, {
      name: 'AftSimpleBackwardSources',
      inputs: { ...pick(call.inputs, ['key', 'value', 'keyMask', 'context', 'logNormalizer']), partial },
      outputs: { dKey: { shape: call.outputShapes.dKey! }, dValue: { shape: call.outputShapes.dValue! } },
      uniforms: { ...shape, parts: u32(parts), tile: u32(tile) },
      workgroupSize: [laneThreads, 1, 1],
      workgroups: laneWorkgroups(lanes, Math.ceil(time / tile)),
      code: `${elementSource} ${attendsSource(call.inputs)}
        fn main(@builtin(global_invocation_id) id: vec3u) {
          let lane = id.x;
          if (lane >= uniforms.lanes) { return; }
          var received = 0.0;
          for (var part = 0u; part < uniforms.parts; part++) { received += partial[part * uniforms.lanes + lane]; }
          let end = min((id.y + 1u) * uniforms.tile, uniforms.time);
          for (var t = id.y * uniforms.tile; t < end; t++) {
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
