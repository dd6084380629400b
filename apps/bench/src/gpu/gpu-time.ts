import type { WebGpuBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';

/** Milliseconds of one run. */
export interface GpuSample {
  /** From the first dispatch to the end of the last, by the GPU's own clock, with no gap for the CPU; absent without timestamps. */
  readonly gpuMs?: number;
  /** From the call to the end of the work, dispatch included. */
  readonly wallMs: number;
}

/**
 * Times `repeats` runs. They are recorded into one command buffer between two timestamps, so that the GPU never waits for the CPU; the
 * wall clock runs over the recording too. `timeKernels` of tensor-ops answers another question: it gives every dispatch a pass of its own, whose cost is then in
 * the time, and needs timestamps.
 *
 * @param work - records dispatches and disposes what it makes.
 */
export async function timeOnGpu(backend: WebGpuBackend, work: () => void, repeats: number): Promise<GpuSample> {
  const { device } = backend;
  const hasTimestamps = device.features.has('timestamp-query');
  flush(backend);
  await device.queue.onSubmittedWorkDone();
  const start = performance.now();
  if (!hasTimestamps) {
    for (let i = 0; i < repeats; i++) work();
    flush(backend);
    await device.queue.onSubmittedWorkDone();
    return { wallMs: (performance.now() - start) / repeats };
  }
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const readable = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const batch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE');
  try {
    tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', Number.MAX_SAFE_INTEGER);
    stamp(backend, { querySet, beginningOfPassWriteIndex: 0 });
    for (let i = 0; i < repeats; i++) work();
    stamp(backend, { querySet, endOfPassWriteIndex: 1 });
    backend.commandEncoder!.resolveQuerySet(querySet, 0, 2, resolved, 0);
    backend.commandEncoder!.copyBufferToBuffer(resolved, 0, readable, 0, 16);
    flush(backend);
    await device.queue.onSubmittedWorkDone();
    const wallMs = (performance.now() - start) / repeats;
    await readable.mapAsync(GPUMapMode.READ);
    const [first, last] = new BigUint64Array(readable.getMappedRange().slice(0));
    return { gpuMs: Number(last! - first!) / 1e6 / repeats, wallMs };
  } finally {
    tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', batch);
    querySet.destroy();
    resolved.destroy();
    readable.destroy();
  }
}

/** A pass without work, for its timestamp. */
function stamp(backend: WebGpuBackend, timestampWrites: GPUComputePassTimestampWrites): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder!.beginComputePass({ timestampWrites }).end();
}

function flush(backend: WebGpuBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

export interface GpuTiming {
  readonly minMs: number;
  readonly medianMs: number;
  /** Median of the wall clock. */
  readonly wallMs: number;
  readonly samples: number;
  readonly repeats: number;
  readonly by: 'timestamps' | 'wall clock';
}

export interface GpuEffort {
  readonly rounds: number;
  /** Milliseconds that a sample should take: shorter runs are repeated. */
  readonly sampleMs: number;
  readonly mostRepeats: number;
  /** Milliseconds after which no new round begins, three rounds excepted. */
  readonly mostMs: number;
}

/** Times several works turn about: a change of the clock rate falls on all alike. */
export async function interleaveOnGpu(
  backend: WebGpuBackend,
  works: readonly (() => void)[],
  { rounds, sampleMs, mostRepeats, mostMs }: GpuEffort,
): Promise<GpuTiming[]> {
  const repeats: number[] = [];
  for (const work of works) {
    // The first run compiles its shaders.
    await timeOnGpu(backend, work, 1);
    const { gpuMs, wallMs } = await timeOnGpu(backend, work, 2);
    repeats.push(Math.max(1, Math.min(mostRepeats, Math.round(sampleMs / (gpuMs ?? wallMs)))));
  }
  const samples: GpuSample[][] = works.map(() => []);
  const end = performance.now() + mostMs;
  for (let round = -1; round < rounds; round++) {
    if (round >= 3 && performance.now() > end) break;
    for (const [i, work] of works.entries()) {
      const sample = await timeOnGpu(backend, work, repeats[i]!);
      // The first round brings the GPU up to its clock rate.
      if (round >= 0) samples[i]!.push(sample);
    }
  }
  return samples.map((own, i) => {
    const by = own.every(({ gpuMs }) => gpuMs !== undefined) ? 'timestamps' : 'wall clock';
    const times = own.map(({ gpuMs, wallMs }) => gpuMs ?? wallMs);
    return {
      minMs: Math.min(...times),
      medianMs: median(times),
      wallMs: median(own.map(({ wallMs }) => wallMs)),
      samples: own.length,
      repeats: repeats[i]!,
      by,
    };
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
