import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';
import { type GridGeometry, geometryOf } from './geometry';

/** A program of AFT-conv: each thread owns a lane, one channel of one batch entry, and a stretch of a line of the grid. */
export interface LaneProgram<Output extends string> {
  name: string;
  /** The inputs of the call that it reads, as far as the call has them. */
  reads: string;
  /** Tensors that an earlier program made. */
  made?: Record<string, TensorInfo>;
  outputs: Record<Output, number[]>;
  /** Places per thread, `begin` to `end` of line `y`. */
  stretch: number;
  /** WGSL, after `lane`, `line`, `begin` and `end` are set. */
  body: string;
  /** WGSL before the entry point. */
  functions?: string;
}

const THREADS = 64;

export function geometryOfCall({ sizes, attributes }: KernelCall): GridGeometry {
  return geometryOf(sizes, attributes.causal === true);
}

/** Places per partial sum: about as many of one as of the other, so that what a thread gathers of both is least. */
export const chunkOf = ({ width }: GridGeometry) => Math.max(16, 2 ** Math.ceil(Math.log2(width) / 2));

/** Targets or sources per thread. */
export const stretchOf = ({ height, width }: GridGeometry) => Math.max(8, Math.ceil((width * height) / 32768));

/** Elements of the partial sums, three per lane and chunk. */
export function partialsOf(geometry: GridGeometry): number {
  const { batch, heads, headDim, height, width } = geometry;
  return 3 * batch * heads * headDim * height * Math.ceil(width / chunkOf(geometry));
}

/** The sizes of a call as WGSL constants: a loop whose bounds the compiler knows is the faster one, and a window seldom changes. */
const constants = ({ windowHeight, windowWidth, headDim }: GridGeometry) => `
const windowHeight = ${windowHeight}u; const windowWidth = ${windowWidth}u; const headDim = ${headDim}u;`;

const positions = `
fn placeOf(lane: u32, line: u32, x: u32) -> u32 { return (lane / uniforms.dim * uniforms.height + line) * uniforms.width + x; }
fn elementOf(lane: u32, line: u32, x: u32) -> u32 { return placeOf(lane, line, x) * uniforms.dim + lane % uniforms.dim; }
fn headOf(lane: u32) -> u32 { return lane % uniforms.dim / headDim; }
fn keyOf(lane: u32, line: u32, x: u32) -> u32 { return placeOf(lane, line, x) * (uniforms.dim / headDim) + headOf(lane); }
fn elementCount() -> u32 { return uniforms.lanes * uniforms.height * uniforms.width; }
fn partialCount() -> u32 { return 3u * uniforms.lanes * uniforms.height * ((uniforms.width - 1u) / uniforms.chunk + 1u); }
fn partialOf(lane: u32, line: u32, chunk: u32) -> u32 {
  return (line * ((uniforms.width - 1u) / uniforms.chunk + 1u) + chunk) * 3u * uniforms.lanes + lane;
}`;

/** The uniforms that every program declares; each must be used, which `positions` and the entry point see to. */
function uniformsOf(geometry: GridGeometry) {
  const { batch, height, width, heads, headDim } = geometry;
  const values = { lanes: batch * heads * headDim, height, width, dim: heads * headDim, chunk: chunkOf(geometry) };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { type: 'u32' as const, value }]));
}

/** Runs a program over all lanes and places. */
export function runLanes<Output extends string>(
  call: KernelCall,
  { name, reads, made, outputs, stretch, body, functions = '' }: LaneProgram<Output>,
): Record<Output, TensorInfo> {
  const geometry = geometryOfCall(call);
  const { height, width } = geometry;
  const uniforms = uniformsOf(geometry);
  const activation = call.attributes.queryActivation as QueryActivation;
  const read = reads.split(' ').filter((input) => call.inputs[input] && (input !== 'query' || activation !== null));
  const shapes = Object.entries<number[]>(outputs).map(([output, shape]) => [output, { shape }]);
  return runProgram(webGpuBackend(call.backend), {
    name,
    inputs: { ...Object.fromEntries(read.map((input) => [input, call.inputs[input]!])), ...made },
    outputs: Object.fromEntries(shapes) as Record<Output, { shape: number[] }>,
    uniforms: { ...uniforms, stretch: { type: 'u32', value: stretch } },
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(uniforms.lanes!.value / THREADS), height * Math.ceil(width / stretch), 1],
    code: `${runningSums}${constants(geometry)}${positions}
${reads.includes('query') ? gateSource(activation) : ''}
${functions}
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lane = id.x;
  if (lane >= uniforms.lanes) { return; }
  let stretches = (uniforms.width - 1u) / uniforms.stretch + 1u;
  let line = id.y / stretches;
  let begin = id.y % stretches * uniforms.stretch;
  let end = min(begin + uniforms.stretch, uniforms.width);
  ${body}
}`,
  });
}

/** Frees what a later program has read. */
export function disposeMade({ backend }: KernelCall, made: (TensorInfo | undefined)[]): void {
  for (const info of made) if (info) webGpuBackend(backend).disposeData(info.dataId);
}

/** WGSL that writes the partial sums of a chunk, `sums`, at `at`. */
export const storePartial = (tensor: string) =>
  ['largest', 'numerator', 'denominator'].map((part, i) => `${tensor}[at + ${i}u * uniforms.lanes] = sums.${part};`).join(' ');

/** What every program of AFT-conv can take; beyond it the composed form runs. */
export const acceptsConv: NonNullable<FusedKernel['accepts']> = (call) => {
  const geometry = geometryOfCall(call);
  const { batch, height, width, heads, headDim, windowHeight, windowWidth } = geometry;
  const { limits } = webGpuBackend(call.backend).device;
  const lanes = batch * heads * headDim;
  const most = limits.maxComputeWorkgroupsPerDimension;
  if (lanes > most * THREADS) return `batch times dim is ${lanes}, the WebGPU kernels take up to ${most * THREADS}`;
  if (height > most / 2) return `height is ${height}, the WebGPU kernels take up to ${Math.floor(most / 2)}`;
  if (heads > most) return `heads are ${heads}, the WebGPU kernels take up to ${most}`;
  const taps = windowHeight * windowWidth;
  if (taps > most) return `the window has ${taps} taps, the WebGPU kernels take up to ${most}`;
  const bytes = 4 * (2 * lanes * height * width + partialsOf(geometry));
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
};
