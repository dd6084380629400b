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
  type SimpleSizes,
  scanChunk,
  simpleSizes,
  stateSource,
  u32,
  wanted,
} from './webgpu-sizes';

/** From this length on a scan runs in chunks, side by side. */
export const CHUNKED_FROM = 256;

/** Storage buffers that a program may bind on every WebGPU device. */
const MOST_BUFFERS = 8;

const initialSums = `${stateSource}
  fn initialSums(lane: u32) -> Sums {
    return Sums(initialState[partOf(0u, lane)], initialState[partOf(1u, lane)], initialState[partOf(2u, lane)]);
  }`;

const storeFinal = `
  finalState[partOf(0u, lane)] = sums.largest;
  finalState[partOf(1u, lane)] = sums.numerator;
  finalState[partOf(2u, lane)] = sums.denominator;`;

/** One dispatch for a short sequence; three for a long one: sums of each chunk, a scan over the chunks, a scan in each chunk. */
export const webgpuAftSimpleCausal = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const sizes = simpleSizes(call);
    const names = Object.keys({ ...call.inputs, ...call.outputShapes });
    const buffers = names.filter((name) => name !== 'query' || sizes.activation !== null).length;
    if (sizes.time < CHUNKED_FROM && buffers <= MOST_BUFFERS) return scan(call, sizes, sizes.time, {});
    const chunk = scanChunk(sizes.time);
    const partial = chunkSums(call, sizes, chunk);
    const { carry, finalState } = scanChunks(call, sizes, chunk, partial);
    const outputs = scan(call, sizes, chunk, { carry });
    for (const { dataId } of [partial, carry]) sizes.backend.disposeData(dataId);
    return { ...outputs, finalState };
  },
};

/** Every target's output by walking through its chunk; `carry` holds the sums before each chunk where there is more than one. */
function scan(
  call: KernelCall,
  { backend, time, dim, lanes, activation }: SimpleSizes,
  chunk: number,
  carry: { carry?: TensorInfo },
) {
  const chunked = carry.carry !== undefined;
  const state = chunked ? [] : ['initialState'];
  const outputs = wanted(call, ['output', ...(chunked ? [] : ['finalState']), 'context', 'logNormalizer']);
  const before = call.inputs.initialState ? 'initialSums(lane)' : 'nothing';
  return runProgram(backend, {
    name: chunked ? 'AftSimpleCausalChunks' : 'AftSimpleCausal',
    inputs: { ...pick(call.inputs, [...(activation === null ? [] : ['query']), 'key', 'value', 'keyMask', ...state]), ...carry },
    outputs,
    uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), chunk: u32(chunk) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, Math.ceil(time / chunk)),
    code: `${runningSums} ${elementSource} ${attendsSource(call.inputs)} ${gateSource(activation)}
      ${!chunked && call.inputs.initialState ? initialSums : stateSource}
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        ${chunked ? 'let c = id.y * 3u * uniforms.lanes + lane;' : ''}
        var sums = ${chunked ? 'Sums(carry[c], carry[c + uniforms.lanes], carry[c + 2u * uniforms.lanes])' : before};
        let end = min((id.y + 1u) * uniforms.chunk, uniforms.time);
        for (var t = id.y * uniforms.chunk; t < end; t++) {
          let i = elementOf(lane, t);
          if (attends(lane, t)) { sums = included(sums, key[i], value[i]); }
          let mean = meanOf(sums);
          output[i] = gated(i).x * mean;
          ${outputs.context ? 'context[i] = mean; logNormalizer[i] = logOf(sums);' : ''}
        }
        ${chunked ? '' : storeFinal}
      }`,
  });
}

/** The sums before each chunk, `[chunks, 3, lanes]`, and those after the last. */
function scanChunks(call: KernelCall, { backend, time, dim, lanes }: SimpleSizes, chunk: number, partial: TensorInfo) {
  const { initialState } = call.inputs;
  const chunks = Math.ceil(time / chunk);
  return runProgram(backend, {
    name: 'AftSimpleCausalCarry',
    inputs: { ...pick(call.inputs, ['initialState']), partial },
    outputs: { carry: { shape: [chunks, 3, lanes] }, finalState: { shape: call.outputShapes.finalState! } },
    uniforms: { lanes: u32(lanes), dim: u32(dim), chunks: u32(chunks) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, 1),
    code: `${runningSums} ${initialState ? initialSums : stateSource}
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        var sums = ${initialState ? 'initialSums(lane)' : 'nothing'};
        for (var chunk = 0u; chunk < uniforms.chunks; chunk++) {
          let c = chunk * 3u * uniforms.lanes + lane;
          carry[c] = sums.largest;
          carry[c + uniforms.lanes] = sums.numerator;
          carry[c + 2u * uniforms.lanes] = sums.denominator;
          sums = merged(sums, Sums(partial[c], partial[c + uniforms.lanes], partial[c + 2u * uniforms.lanes]));
        }
        ${storeFinal}
      }`,
  });
}
