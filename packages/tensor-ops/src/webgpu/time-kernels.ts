import { engine, getBackend } from '@tensorflow/tfjs-core';
import { watchDevice } from './device-loss';
import { startTimer, type Timestamps, timerOf } from './kernel-timer';
import { runProgram } from './run-program';
import { type WebGpuBackend, webGpuBackend } from './web-gpu-backend';

/** One dispatch. */
export interface KernelTime {
  /** The name of our program, or of the class of tfjs's. */
  readonly name: string;
  /** Milliseconds on the GPU, from the begin of its pass to the end. NaN where the driver's clock ran backwards. */
  readonly gpuMs: number;
}

/** What the GPU did during one call. */
export interface KernelTimes<Result> {
  readonly result: Result;
  /** In the order of their dispatch. */
  readonly kernels: readonly KernelTime[];
  /** Their sum. */
  readonly totalMs: number;
  /** From the begin of the first to the end of the last, with the gaps between, in which the GPU waits for the CPU too. */
  readonly spanMs: number;
  /** What an all but empty kernel takes, timed in the same way: part of every `gpuMs`. */
  readonly overheadMs: number;
  /** The clock's step, as far as these timestamps show it: what is shorter than a few steps is noise. */
  readonly resolutionMs: number;
}

/** All but empty kernels that are timed before the call. */
const EMPTY_KERNELS = 5;

/**
 * Times every WebGPU kernel of a call by timestamp queries of the GPU, our programs and tfjs's own.
 *
 * Each dispatch is given a compute pass of its own, so kernels do not overlap as they may otherwise, and a pass costs something (`overheadMs`). No command buffer is
 * submitted for the sake of timing. The first run of a kernel waits for its shader on the CPU, which `gpuMs` leaves out and `spanMs` does not: call twice.
 *
 * @param fn - Calls operators; it may be asynchronous. Whatever else runs on the backend meanwhile is timed too.
 * @returns Its result, and the time of each dispatch.
 * @throws Error on another backend, on a device without 'timestamp-query', and inside another `timeKernels` or `tf.time`.
 * @remarks Browsers round timestamps to about 0.1 ms against spying (Chromium unless its flag "WebGPU Developer Features" is set); then `resolutionMs` says so, and only
 *   sums over many runs mean anything. Dawn in Node rounds too, unless it was made with `disable-dawn-features=timestamp_quantization`, as `initBackend` does.
 * @example
 * const { kernels, totalMs, result } = await timeKernels(() => matMul(a, b));
 * console.log(kernels.map(({ name, gpuMs }) => `${name} ${gpuMs.toFixed(3)} ms`), totalMs);
 * result.dispose();
 */
export async function timeKernels<Result>(fn: () => Result | Promise<Result>): Promise<KernelTimes<Result>> {
  const backend = timedBackend();
  const timer = startTimer(backend);
  let result: Result;
  try {
    for (let i = 0; i < EMPTY_KERNELS; i++) runEmpty(backend);
    result = await fn();
  } finally {
    timer.stop();
  }
  return { result, ...summary(await readOrLost(backend, timer.timestamps())) };
}

function timedBackend(): WebGpuBackend {
  const name = getBackend();
  if (name !== 'webgpu') throw new Error(`timeKernels: the backend must be webgpu, which has timestamp queries; it is '${name}'`);
  const backend = webGpuBackend(engine().backend);
  if (!backend.device.features.has('timestamp-query')) {
    throw new Error("timeKernels: the WebGPU device has no 'timestamp-query': its adapter lacks it, or it was not asked for");
  }
  if (timerOf(backend) !== undefined || backend.activeTimers) throw new Error('timeKernels: a timing is under way');
  return backend;
}

function runEmpty(backend: WebGpuBackend): void {
  const { nothing } = runProgram(backend, {
    name: 'Nothing',
    inputs: {},
    outputs: { nothing: { shape: [1] } },
    workgroupSize: [1, 1, 1],
    workgroups: [1, 1, 1],
    code: 'fn main() { nothing[0] = 0.0; }',
  });
  backend.disposeData(nothing.dataId);
}

const readOrLost = <Value>(backend: WebGpuBackend, value: Promise<Value>): Promise<Value> =>
  value.catch((error) => {
    throw watchDevice(backend).error ?? error;
  });

function summary({ names, begins, ends }: Timestamps): Omit<KernelTimes<unknown>, 'result'> {
  const milliseconds = (from: bigint, to: bigint) => (to >= from ? Number(to - from) / 1e6 : Number.NaN);
  const all = names.map((name, i) => ({ name, gpuMs: milliseconds(begins[i]!, ends[i]!) }));
  const empty = all.slice(0, EMPTY_KERNELS).map(({ gpuMs }) => gpuMs);
  const kernels = all.slice(EMPTY_KERNELS);
  return {
    kernels,
    totalMs: kernels.reduce((sum, { gpuMs }) => sum + gpuMs, 0),
    spanMs: kernels.length === 0 ? 0 : milliseconds(begins[EMPTY_KERNELS]!, ends.at(-1)!),
    overheadMs: empty.sort((a, b) => a - b)[EMPTY_KERNELS >> 1]!,
    resolutionMs: Number([...begins, ...ends].reduce(greatestDivisor, 0n)) / 1e6,
  };
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b];
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller];
  return larger;
}
