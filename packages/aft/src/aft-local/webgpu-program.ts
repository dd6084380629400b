import { type KernelCall, runProgram, type WebGpuUniform, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';
import { type Geometry, geometryOf } from './geometry';

/** Threads of a workgroup; they own neighbouring lanes, which stand side by side in memory. */
export const THREADS = 64;

/** Targets, or sources, of a thread. Those that are far from one are far from all, and their sums are made once. */
export const TILE = 16;

/** A call with its bias as one tensor: a table, a band, or a band that was made of factors; none without a window. */
export interface LocalCall {
  readonly call: KernelCall;
  readonly geometry: Geometry;
  readonly bias: TensorInfo | undefined;
  /** Where the bias of target 0 and source 0 stands, and how far from it that of target 1. */
  readonly start: number;
  readonly step: number;
  /** Steps per chunk, of sources and of targets: sums are made per chunk, and every thread that needs a total adds them up for itself. */
  readonly chunk: number;
}

export function localCall(call: KernelCall, made?: TensorInfo): LocalCall {
  const { inputs, attributes, sizes } = call;
  const whole = geometryOf(inputs, attributes, sizes);
  // A band that is made is no wider than the sources.
  const geometry = made ? { ...whole, reach: (made.shape[1]! - 1) / 2 } : whole;
  const { position, past, reach, sources } = geometry;
  const columns = inputs.positionBias?.shape[1];
  const width = 2 * reach + 1;
  const chunk = chunkOf(sources);
  const rows = made ? 0 : position;
  return columns === undefined
    ? { call, geometry, chunk, bias: made ?? inputs.band, start: rows * width + reach - past, step: width - 1 }
    : { call, geometry, chunk, bias: inputs.positionBias, start: position * columns + position - past, step: columns };
}

/** WGSL functions of the tensors that they read; a program holds those whose tensors it reads. */
const functions: Record<string, (local: LocalCall) => string> = {
  key: (local) => sourceFunction('keyOf', 'key', local, '3'),
  value: (local) => sourceFunction('valueOf', 'value', local, '3 + uniforms.past'),
  query: ({ call }) => gateSource(call.attributes.queryActivation as QueryActivation),
};

function sourceFunction(name: string, tensor: string, { call }: LocalCall, rows: string): string {
  const remembered = call.inputs.state ? `if (i < uniforms.past) { return state[memoryAt(lane, ${rows} + i)]; }` : '';
  return `fn ${name}(lane: i32, i: i32) -> f32 { ${remembered} return ${tensor}[elementOf(lane, i - uniforms.past)]; }`;
}

function isPresent({ call, geometry }: LocalCall): string {
  const remembered =
    call.inputs.state && geometry.past > 0 ? 'if (i < uniforms.past) { return state[memoryAt(lane, 3 + i)] > -5e29; }' : '';
  const mask = call.inputs.keyMask ? 'keyMask[lane / uniforms.dim * uniforms.time + i - uniforms.past] != 0.0' : 'true';
  return `fn isPresent(lane: i32, i: i32) -> bool { ${remembered} return ${mask}; }`;
}

function biasOf({ bias }: LocalCall): string {
  const inside = bias
    ? 'if (abs(uniforms.past + t - i) <= uniforms.reach) { return bias[uniforms.start + t * uniforms.step + i]; }'
    : '';
  return `fn biasOf(t: i32, i: i32) -> f32 { ${inside} return 0.0; }`;
}

const positions = `
fn elementOf(lane: i32, t: i32) -> i32 { return (lane / uniforms.dim * uniforms.time + t) * uniforms.dim + lane % uniforms.dim; }
fn memoryAt(lane: i32, r: i32) -> i32 { return (lane / uniforms.dim * (3 + 2 * uniforms.past) + r) * uniforms.dim + lane % uniforms.dim; }`;

export interface LocalProgram<Output extends string> {
  readonly name: string;
  /** Inputs of the call that it reads, as far as the call has them; `bias` is the one of `local`. */
  readonly reads: string;
  /** Tensors that an earlier program made. */
  readonly made?: Record<string, TensorInfo>;
  readonly outputs: Record<Output, readonly number[]>;
  /** Along the lanes and along time, or rows. */
  readonly threads: readonly [x: number, y: number];
  /** WGSL functions before the entry point. */
  readonly code?: string;
  /** WGSL, after `lane` (the first coordinate) and `id` are set. */
  readonly body: string;
}

/** The tensors of a program, and with its outputs how many it binds. */
export function readTensors({ call, bias }: LocalCall, reads: string): Record<string, TensorInfo> {
  const withoutGate = call.attributes.queryActivation === null;
  const present = reads.split(' ').flatMap((name): [string, TensorInfo][] => {
    const tensor = name === 'bias' ? bias : call.inputs[name];
    return tensor && !(name === 'query' && withoutGate) ? [[name, tensor]] : [];
  });
  return Object.fromEntries(present);
}

export function runLocal<Output extends string>(local: LocalCall, program: LocalProgram<Output>): Record<Output, TensorInfo> {
  const { call, geometry, start, step, chunk } = local;
  const { name, reads, made, outputs, threads, code = '', body } = program;
  const names = reads.split(' ');
  const text = `${positions}
${names.map((tensor) => functions[tensor]?.(local) ?? '').join('\n')}
${names.includes('keyMask') ? isPresent(local) : ''}
${names.includes('bias') ? biasOf(local) : ''}
${code}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = i32(id.x);
  if (id.x >= ${threads[0]}u) { return; }
  ${body}
}`;
  const numbers: Record<string, number> = { ...geometry, lanes: geometry.batch * geometry.dim, chunk, start, step } as never;
  const used = Object.entries(numbers).filter(([uniform]) => new RegExp(`uniforms\\.${uniform}\\b`).test(text));
  const uniforms = used.map(([uniform, value]): [string, WebGpuUniform] => [uniform, { type: 'i32', value }]);
  const shapes = Object.entries<readonly number[]>(outputs).map(([output, shape]) => [output, { shape: [...shape] }]);
  return runProgram(webGpuBackend(call.backend), {
    name,
    inputs: { ...readTensors(local, reads), ...made },
    outputs: Object.fromEntries(shapes) as Record<Output, { shape: number[] }>,
    uniforms: Object.fromEntries(uniforms),
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(threads[0] / THREADS), Math.min(threads[1], 65535), 1],
    code: `${runningSums}${text}`,
  });
}

/** What every program of AFT-local can take; beyond it the composed form runs. */
export function acceptsLocal(call: KernelCall): string | null {
  const { batch, time, dim, past, sources, reach } = geometryOf(call.inputs, call.attributes, call.sizes);
  const { maxComputeWorkgroupsPerDimension: groups, maxStorageBufferBindingSize: bound } = webGpuBackend(call.backend).device
    .limits;
  const lanes = batch * dim;
  const refusal = (what: string, size: number, most: number) =>
    size > most ? `${what} is ${size}, the WebGPU kernels take up to ${most}` : null;
  const received = receivedSize(lanes, time, chunkOf(sources));
  const bias = call.inputs.positionBias ? util.sizeFromShape(call.inputs.positionBias.shape) : time * (2 * reach + 1);
  return (
    refusal('batch times dim', lanes, groups * THREADS) ??
    refusal('time', time, groups * TILE) ??
    refusal('the window of the state', past, groups - 1) ??
    refusal('the largest buffer', 4 * Math.max(received, bias), bound)
  );
}

/** Steps per chunk: sums over a whole sequence are then made of at most 64. */
const chunkOf = (sources: number) => Math.max(32, Math.ceil(sources / 64));

/** What the targets receive: three numbers per target, per chunk of targets, and of the final state. */
export const receivedSize = (lanes: number, time: number, chunk: number) => 3 * lanes * (time + Math.ceil(time / chunk) + 1);

export function dispose({ call }: LocalCall, made: readonly (TensorInfo | undefined)[]): void {
  for (const info of made) if (info) webGpuBackend(call.backend).disposeData(info.dataId);
}

/** Storage buffers that a program may bind on every WebGPU device. */
export const MOST_BUFFERS = 8;

/** A call on a band that is made for it where the bias comes in factors. */
export function withBand<Result>(call: KernelCall, work: (local: LocalCall, made: TensorInfo | undefined) => Result): Result {
  const { u, v } = call.inputs;
  if (!u || !v) return work(localCall(call), undefined);
  const { time, past, sources, reach, position, begin } = geometryOf(call.inputs, call.attributes, call.sizes);
  if (reach < 0) return work({ ...localCall(call), bias: undefined }, undefined);
  const width = 2 * Math.min(reach, sources - 1) + 1;
  const { band } = runProgram(webGpuBackend(call.backend), {
    name: 'AftLocalBand',
    inputs: { u, v },
    outputs: { band: { shape: [time, width] } },
    uniforms: {
      width: { type: 'i32', value: width },
      rank: { type: 'i32', value: u.shape[1]! },
      time: { type: 'i32', value: time },
      first: { type: 'i32', value: past - (width - 1) / 2 },
      begin: { type: 'i32', value: begin },
      sources: { type: 'i32', value: sources },
      position: { type: 'i32', value: position },
      shift: { type: 'i32', value: position - past },
    },
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(width / THREADS), Math.min(time, 65535), 1],
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let r = i32(id.x);
  if (r >= uniforms.width) { return; }
  for (var t = i32(id.y); t < uniforms.time; t += i32(groups.y)) {
    let i = uniforms.first + t + r;
    var sum = 0.0;
    if (i >= uniforms.begin && i < uniforms.sources) {
      for (var c = 0; c < uniforms.rank; c++) {
        sum = fma(u[(uniforms.position + t) * uniforms.rank + c], v[(uniforms.shift + i) * uniforms.rank + c], sum);
      }
    }
    band[t * uniforms.width + r] = sum;
  }
}`,
  });
  const result = work(localCall(call, band), band);
  webGpuBackend(call.backend).disposeData(band.dataId);
  return result;
}
