import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';

/** A program of AFT-simple: each thread owns a lane, one channel of one batch entry, and a chunk of time. */
export interface LaneProgram<Output extends string> {
  name: string;
  /** The inputs of the call that it reads, as far as the call has them. */
  reads: string;
  /** Tensors that an earlier program made. */
  made?: Record<string, TensorInfo>;
  outputs: Record<Output, number[]>;
  /** Steps of time per thread, `begin` to `end`. */
  chunk: number;
  /** WGSL, after `lane`, `begin` and `end` are set. */
  body: string;
}

/** Threads of a workgroup; they own neighbouring lanes, which stand side by side in memory. */
const THREADS = 64;

const positions = `
fn elementOf(lane: u32, t: u32) -> u32 { return (lane / uniforms.dim * uniforms.time + t) * uniforms.dim + lane % uniforms.dim; }
fn partOf(part: u32, lane: u32) -> u32 { return (lane / uniforms.dim * 3u + part) * uniforms.dim + lane % uniforms.dim; }`;

const attends = ({ keyMask }: KernelCall['inputs']) =>
  `fn attends(lane: u32, t: u32) -> bool { return ${keyMask ? 'keyMask[lane / uniforms.dim * uniforms.time + t] != 0.0' : 'true'}; }`;

export function sizesOf({ sizes }: KernelCall): { time: number; lanes: number } {
  const { batch, time, dim } = sizes as { batch: number; time: number; dim: number };
  return { time, lanes: batch * dim };
}

/** Runs a program over the lanes and, unless `chunks` says otherwise, over all of time. */
export function runLanes<Output extends string>(
  call: KernelCall,
  { name, reads, made, outputs, chunk, body }: LaneProgram<Output>,
  chunks = Math.ceil(sizesOf(call).time / chunk),
): Record<Output, TensorInfo> {
  const { time, lanes } = sizesOf(call);
  const activation = call.attributes.queryActivation as QueryActivation;
  const read = reads.split(' ').filter((input) => call.inputs[input] && (input !== 'query' || activation !== null));
  const shapes = Object.entries<number[]>(outputs).map(([output, shape]) => [output, { shape }]);
  return runProgram(webGpuBackend(call.backend), {
    name,
    inputs: { ...Object.fromEntries(read.map((input) => [input, call.inputs[input]!])), ...made },
    outputs: Object.fromEntries(shapes) as Record<Output, { shape: number[] }>,
    uniforms: {
      lanes: { type: 'u32', value: lanes },
      time: { type: 'u32', value: time },
      dim: { type: 'u32', value: call.sizes.dim! },
      chunk: { type: 'u32', value: chunk },
    },
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(lanes / THREADS), chunks, 1],
    code: `${runningSums}${positions}
${reads.includes('query') ? gateSource(activation) : ''}
${reads.includes('keyMask') ? attends(call.inputs) : ''}
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lane = id.x;
  if (lane >= uniforms.lanes) { return; }
  let begin = id.y * uniforms.chunk;
  let end = min(begin + uniforms.chunk, uniforms.time);
  ${body}
}`,
  });
}

/** Frees what a later program has read. */
export function disposeMade({ backend }: KernelCall, made: (TensorInfo | undefined)[]): void {
  for (const info of made) if (info) webGpuBackend(backend).disposeData(info.dataId);
}

/** WGSL of the place of a thread's chunk in a `[chunks, parts, lanes]` tensor; its next parts follow at distance `uniforms.lanes`. */
export const placeOf = (chunk: string, parts: number) => `${chunk} * ${parts}u * uniforms.lanes + lane`;

/** WGSL that reads and writes the three parts of running sums at `at`. */
export const loadSums = (tensor: string, at: string) =>
  `Sums(${tensor}[${at}], ${tensor}[${at} + uniforms.lanes], ${tensor}[${at} + 2u * uniforms.lanes])`;
export const storeSums = (tensor: string, at: string) =>
  ['largest', 'numerator', 'denominator'].map((part, i) => `${tensor}[${at} + ${i}u * uniforms.lanes] = sums.${part};`).join(' ');

/** The sums of each chunk of time by itself, `[chunks, 3, lanes]`. */
export function chunkSums(call: KernelCall, chunk: number): TensorInfo {
  const { time, lanes } = sizesOf(call);
  return runLanes(call, {
    name: 'AftSimpleSums',
    reads: 'key value keyMask',
    outputs: { partial: [Math.ceil(time / chunk), 3, lanes] },
    chunk,
    body: `
  var sums = nothing;
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    if (attends(lane, t)) { sums = included(sums, key[i], value[i]); }
  }
  let at = ${placeOf('id.y', 3)};
  ${storeSums('partial', 'at')}`,
  }).partial;
}

/** What every program of AFT-simple can take; beyond it the composed form runs. */
export const acceptsSimple: NonNullable<FusedKernel['accepts']> = (call) => {
  const { time, lanes } = sizesOf(call);
  const { limits } = webGpuBackend(call.backend).device;
  const most = limits.maxComputeWorkgroupsPerDimension * THREADS;
  if (lanes > most) return `batch times dim is ${lanes}, the WebGPU kernels take up to ${most}`;
  const bytes = 8 * lanes * (time + 1);
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
};
