import type { WebGpuBackend } from './web-gpu-backend';

/** Timestamps of dispatches, each in a compute pass of its own. */
export interface KernelTimer {
  /** Begins a pass for the next dispatch in the backend's command encoder. */
  beginPass(name: string): void;
  /** Ends it. */
  endPass(): void;
}

// On the backend itself, for the ESM and CJS twins of this module share it.
const key = Symbol.for('@mixfold/tensor-ops/kernel-timer');
const holder = (backend: WebGpuBackend) => backend as unknown as Record<symbol, KernelTimer | undefined>;

/** The timer that is running on a backend. */
export const timerOf = (backend: WebGpuBackend): KernelTimer | undefined => holder(backend)[key];

/** Queries of one set: as many as WebGPU allows. */
const QUERIES = 4096;

/** Begin and end of every dispatch, in nanoseconds of the GPU's clock. */
export interface Timestamps {
  readonly names: readonly string[];
  readonly begins: readonly bigint[];
  readonly ends: readonly bigint[];
}

/**
 * Starts to time every dispatch on a backend, those of tfjs's own programs too. Nothing is submitted for it: the dispatches stay in the command buffers in which
 * they would stand, and the timestamps are fetched at the end.
 *
 * @returns Stops, and gives the timestamps.
 */
export function startTimer(backend: WebGpuBackend): { stop(): void; timestamps(): Promise<Timestamps> } {
  const { device } = backend;
  const names: string[] = [];
  const querySets: GPUQuerySet[] = [];
  const timer: KernelTimer = {
    beginPass(name) {
      const index = (2 * names.length) % QUERIES;
      if (index === 0) querySets.push(device.createQuerySet({ type: 'timestamp', count: QUERIES }));
      names.push(name);
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.computePassEncoder = backend.commandEncoder!.beginComputePass({
        timestampWrites: { querySet: querySets.at(-1)!, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 },
      });
    },
    endPass() {
      backend.endComputePassEncoder();
    },
  };
  holder(backend)[key] = timer;

  // tfjs adds its dispatch to the pass that it finds.
  const own = backend.recordAndSubmit;
  backend.recordAndSubmit = (program, ...rest) => {
    timer.beginPass(program.constructor.name);
    own.call(backend, program, ...rest);
    timer.endPass();
  };
  return {
    stop() {
      delete holder(backend)[key];
      Reflect.deleteProperty(backend, 'recordAndSubmit');
    },
    async timestamps() {
      const values: bigint[] = [];
      for (const [i, querySet] of querySets.entries()) {
        values.push(...(await readQueries(backend, querySet, Math.min(2 * names.length - i * QUERIES, QUERIES))));
        querySet.destroy();
      }
      return { names, begins: names.map((_, i) => values[2 * i]!), ends: names.map((_, i) => values[2 * i + 1]!) };
    },
  };
}

async function readQueries(backend: WebGpuBackend, querySet: GPUQuerySet, count: number): Promise<BigUint64Array> {
  const size = 8 * count;
  const resolved = backend.device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const readable = backend.device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.commandEncoder!.resolveQuerySet(querySet, 0, count, resolved, 0);
    backend.commandEncoder!.copyBufferToBuffer(resolved, 0, readable, 0, size);
    backend.submitQueue();
    await readable.mapAsync(GPUMapMode.READ);
    return new BigUint64Array(readable.getMappedRange().slice(0));
  } finally {
    resolved.destroy();
    readable.destroy();
  }
}
