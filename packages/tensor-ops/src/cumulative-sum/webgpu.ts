import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FusedKernel, KernelCall } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { type ScanAttributes, type ScanLayout, scanLayout } from './scan-layout';

const THREADS = 64;

/** From this length on the axis is summed in chunks, side by side. */
const CHUNKED_FROM = 128;

/** Steps per chunk: chunk and chunks together are the longest chain of additions. */
const chunkOf = (time: number) =>
  time < CHUNKED_FROM ? time : Math.max(16, Math.ceil(Math.sqrt(time)), Math.ceil(time / 32768));

/** Each thread owns a lane, one element of outer and inner, and one chunk of time. */
function runScan(
  { backend }: KernelCall,
  { outer, time, inner }: ScanLayout,
  chunk: number,
  reverse: boolean,
  program: { name: string; inputs: Record<string, TensorInfo>; output: number[]; body: string; chunks?: number },
): TensorInfo {
  const lanes = outer * inner;
  const chunks = program.chunks ?? Math.ceil(time / chunk);
  return runProgram(webGpuBackend(backend), {
    name: program.name,
    inputs: program.inputs,
    outputs: { output: { shape: program.output } },
    uniforms: {
      lanes: { type: 'u32', value: lanes },
      time: { type: 'u32', value: time },
      inner: { type: 'u32', value: inner },
      chunk: { type: 'u32', value: chunk },
    },
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(lanes / THREADS), chunks, 1],
    code: `
fn elementOf(lane: u32, t: u32) -> u32 {
  return (lane / uniforms.inner * uniforms.time + ${reverse ? 'uniforms.time - 1u - t' : 't'}) * uniforms.inner + lane % uniforms.inner;
}
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lane = id.x;
  if (lane >= uniforms.lanes) { return; }
  let begin = id.y * uniforms.chunk;
  let end = min(begin + uniforms.chunk, uniforms.time);
  ${program.body}
}`,
  }).output;
}

/** One dispatch for a short axis; three for a long one: sums of each chunk, sums of the chunks before each, sums in each chunk. */
function scanKernel(input: string, output: string, isBackward: boolean): FusedKernel {
  return {
    accepts({ outputShapes, attributes, backend }) {
      const { outer, inner } = scanLayout(outputShapes[output]!, attributes.axis as number);
      const most = webGpuBackend(backend).device.limits.maxComputeWorkgroupsPerDimension * THREADS;
      return outer * inner <= most
        ? null
        : `the other axes together have ${outer * inner} elements, the WebGPU kernel takes ${most}`;
    },
    run(call) {
      const { axis, exclusive, reverse } = call.attributes as unknown as ScanAttributes;
      const shape = call.outputShapes[output]!;
      const layout = scanLayout(shape, axis);
      const lanes = layout.outer * layout.inner;
      const chunk = chunkOf(layout.time);
      const chunks = Math.ceil(layout.time / chunk);
      const x = call.inputs[input]!;
      const dispatch = (program: Parameters<typeof runScan>[4]) => runScan(call, layout, chunk, reverse !== isBackward, program);
      const made: TensorInfo[] = [];
      if (chunks > 1) {
        made.push(
          dispatch({
            name: 'CumulativeSumChunks',
            inputs: { x },
            output: [chunks, lanes],
            body: `var sum = 0.0;
  for (var t = begin; t < end; t++) { sum += x[elementOf(lane, t)]; }
  output[id.y * uniforms.lanes + lane] = sum;`,
          }),
        );
        made.push(
          dispatch({
            name: 'CumulativeSumCarry',
            inputs: { partial: made[0]! },
            output: [chunks, lanes],
            chunks: 1,
            body: `var sum = 0.0;
  for (var c = 0u; c * uniforms.chunk < uniforms.time; c++) {
    let at = c * uniforms.lanes + lane;
    output[at] = sum;
    sum += partial[at];
  }
  _ = uniforms.inner;`,
          }),
        );
      }
      const carry = made[1];
      const result = dispatch({
        name: 'CumulativeSumScan',
        inputs: { x, ...(carry ? { carry } : {}) },
        output: shape,
        body: `let before = ${carry ? 'carry[id.y * uniforms.lanes + lane]' : '0.0'};
  var sum = 0.0;
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    ${exclusive ? 'output[i] = before + sum; sum += x[i];' : 'sum += x[i]; output[i] = before + sum;'}
  }`,
      });
      for (const info of made) webGpuBackend(call.backend).disposeData(info.dataId);
      return { [output]: result };
    },
  };
}

export const webgpuCumulativeSum = /* @__PURE__ */ scanKernel('x', 'output', false);
export const webgpuCumulativeSumBackward = /* @__PURE__ */ scanKernel('dOutput', 'dX', true);
