import type { FusedKernel, KernelCall } from '@mixfold/tensor-ops';
import { type WebGpuBackend, type WebGpuUniform, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';

/** A lane is one channel of one batch entry; lanes do not meet, and neighbouring lanes stand side by side in memory. */
export interface SimpleSizes {
  backend: WebGpuBackend;
  batch: number;
  time: number;
  dim: number;
  lanes: number;
  activation: QueryActivation;
}

/** Threads along the lanes in programs where each thread works alone. */
export const laneThreads = 64;

export function simpleSizes({ backend, sizes, attributes }: KernelCall): SimpleSizes {
  const { batch, time, dim } = sizes as { batch: number; time: number; dim: number };
  const activation = attributes.queryActivation as QueryActivation;
  return { backend: webGpuBackend(backend), batch, time, dim, lanes: batch * dim, activation };
}

/** The largest power of two up to `limit`. */
const powerOfTwo = (limit: number) => 2 ** Math.floor(Math.log2(limit));

/** Steps per chunk of a scan over `time`: chunk + chunks is the length of the serial chain, and the chunks fit in one dispatch. */
export const scanChunk = (time: number) => Math.max(16, powerOfTwo(Math.sqrt(time)), Math.ceil(time / 32768));

/** Workgroups of a program whose threads each own a lane and a chunk of time. */
export const laneWorkgroups = (lanes: number, chunks: number): [number, number, number] => [
  Math.ceil(lanes / laneThreads),
  chunks,
  1,
];

export const u32 = (value: number): WebGpuUniform => ({ type: 'u32', value });

/** The inputs of a call that a program reads, without those that the call does not have. */
export function pick(inputs: KernelCall['inputs'], names: readonly string[]): Record<string, TensorInfo> {
  return Object.fromEntries(names.flatMap((name) => (inputs[name] ? [[name, inputs[name]] as const] : [])));
}

/** The outputs among `names` that a call asks for. */
export function wanted({ outputShapes }: KernelCall, names: readonly string[]): Record<string, { shape: number[] }> {
  return Object.fromEntries(
    names.flatMap((name) => (outputShapes[name] ? [[name, { shape: outputShapes[name] }] as const] : [])),
  );
}

/** WGSL of `fn attends(lane: u32, t: u32) -> bool`, from the mask if the call has one. */
export function attendsSource({ keyMask }: KernelCall['inputs']): string {
  if (keyMask === undefined) return 'fn attends(lane: u32, t: u32) -> bool { return true; }';
  return 'fn attends(lane: u32, t: u32) -> bool { return f32(keyMask[lane / uniforms.dim * uniforms.time + t]) != 0.0; }';
}

/** WGSL of `fn elementOf(lane: u32, t: u32) -> u32`: where `[batch, time, dim]` holds a lane at a time. */
export const elementSource = `
  fn elementOf(lane: u32, t: u32) -> u32 { return (lane / uniforms.dim * uniforms.time + t) * uniforms.dim + lane % uniforms.dim; }`;

/** WGSL of `fn partOf(part: u32, lane: u32) -> u32`: where `[batch, 3, dim]` holds a part of a lane's state. */
export const stateSource = `
  fn partOf(part: u32, lane: u32) -> u32 { return (lane / uniforms.dim * 3u + part) * uniforms.dim + lane % uniforms.dim; }`;

/** What every program of AFT-simple can take; beyond it the composed form runs. */
export const acceptsSimple: NonNullable<FusedKernel['accepts']> = ({ sizes, backend }) => {
  const { batch, time, dim } = sizes as { batch: number; time: number; dim: number };
  const { limits } = webGpuBackend(backend).device;
  const lanes = limits.maxComputeWorkgroupsPerDimension * laneThreads;
  if (batch * dim > lanes) return `batch times dim is ${batch * dim}, the WebGPU kernels take up to ${lanes}`;
  const bytes = 4 * (2 * batch * dim * (time + 1));
  if (bytes > limits.maxStorageBufferBindingSize) {
    return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
  }
  return null;
};
