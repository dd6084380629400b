import type { WasmBuild } from '../wasm/index';
import { word, wordsPerWorker, workerSource } from './worker-source';

type WorkerThreads = typeof import('node:worker_threads');
type Worker = InstanceType<WorkerThreads['Worker']>;

/** What a worker is told to do: the arguments of `gemmMany`, on the pool's memory. */
export interface WorkerJob {
  readonly calls: number;
  readonly count: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly depth: number;
  readonly activation: number;
  readonly slope: number;
}

const buildCodes: Readonly<Record<WasmBuild, number>> = { simd128: 0, relaxed: 1 };

/** Milliseconds that a thread may take to start. */
const startMs = 20_000;

/** Why threads cannot be had here, or Node's module of them. */
export function workerThreads(): WorkerThreads | { unavailable: string } {
  const node = typeof process === 'undefined' ? undefined : process.getBuiltinModule?.('node:worker_threads');
  if (!node?.receiveMessageOnPort)
    return {
      unavailable: "worker threads run in Node only; in a browser tfjs's own threaded build serves cross-origin-isolated pages",
    };
  try {
    // Allowed on Node's main thread; a host that embeds Node may forbid it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
  } catch {
    return { unavailable: 'this thread may not wait for another one' };
  }
  return node;
}

/**
 * Worker threads that hold instances of the kernel module on a memory of their own with the main thread. They sleep between jobs and do not keep the
 * process alive.
 */
export class ThreadPool {
  /** Where the workers' operands and results lie. */
  readonly memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  private readonly words: Int32Array;
  private readonly floats: Float32Array;
  private readonly workers: Worker[] = [];
  private readonly builds = new Set<WasmBuild>();
  private onLoss: ((reason: string) => void) | undefined;

  private constructor(count: number) {
    const control = new SharedArrayBuffer(4 * wordsPerWorker * count);
    this.words = new Int32Array(control);
    this.floats = new Float32Array(control);
  }

  /**
   * Starts a pool whose workers wait for work.
   *
   * @param onLoss - called once if a worker ends by itself later; the pool is then stopped.
   * @throws Error if a worker does not start.
   */
  static async start(count: number, { Worker }: WorkerThreads, onLoss: (reason: string) => void): Promise<ThreadPool> {
    const pool = new ThreadPool(count);
    let late: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        pool.onLoss = (reason) => reject(new Error(reason));
        late = setTimeout(() => reject(new Error(`not ready after ${startMs / 1000} s`)), startMs);
        let ready = 0;
        for (let index = 0; index < count; index++) {
          const workerData = { memory: pool.memory, control: pool.words.buffer, index };
          // No flags of the process: a loader given to it would run in each worker.
          const worker = new Worker(workerSource, { eval: true, execArgv: [], name: 'mixfold wasm', workerData });
          pool.workers.push(worker);
          worker.once('message', () => ++ready === count && resolve());
          worker.once('error', (error) => pool.lose(error.message));
          worker.once('exit', (code) => pool.lose(`it ended with code ${code}`));
        }
      });
    } catch (error) {
      pool.stop();
      throw error;
    } finally {
      clearTimeout(late);
    }
    pool.onLoss = onLoss;
    // Only now: until here nothing else may keep the process alive.
    for (const worker of pool.workers) worker.unref();
    return pool;
  }

  /** Gives every worker the module of a build, once, before the first job that needs it. */
  provide(build: WasmBuild, moduleOf: (build: WasmBuild) => WebAssembly.Module): void {
    if (this.builds.has(build)) return;
    const module = moduleOf(build);
    for (const worker of this.workers) worker.postMessage({ build: buildCodes[build], module });
    this.builds.add(build);
  }

  /** Sets a worker to work. */
  start(worker: number, build: WasmBuild, job: WorkerJob): void {
    const at = worker * wordsPerWorker;
    const { words } = this;
    words[at + word.build] = buildCodes[build];
    words[at + word.calls] = job.calls;
    words[at + word.count] = job.count;
    words[at + word.leftTransposed] = Number(job.transposeA);
    words[at + word.rightTransposed] = Number(job.transposeB);
    words[at + word.depth] = job.depth;
    words[at + word.activation] = job.activation;
    this.floats[at + word.slope] = job.slope;
    Atomics.add(words, at + word.job, 1);
    Atomics.notify(words, at + word.job);
  }

  /** Sleeps until a worker's job is done; null, or what went wrong. */
  wait(worker: number, limitMs: number): string | null {
    const at = worker * wordsPerWorker;
    const job = Atomics.load(this.words, at + word.job);
    const end = performance.now() + limitMs;
    for (;;) {
      const done = Atomics.load(this.words, at + word.done);
      if (done === job) return this.words[at + word.failed] ? 'it could not run the kernel' : null;
      const left = end - performance.now();
      if (left <= 0) return `it was not done after ${Math.round(limitMs)} ms`;
      Atomics.wait(this.words, at + word.done, done, left);
    }
  }

  /** Ends the workers. What one is doing is lost. */
  stop(): void {
    this.onLoss = undefined;
    for (const [i, worker] of this.workers.entries()) {
      Atomics.store(this.words, i * wordsPerWorker + word.job, -1);
      Atomics.notify(this.words, i * wordsPerWorker + word.job);
      worker.terminate();
    }
  }

  private lose(reason: string): void {
    const tell = this.onLoss;
    this.stop();
    tell?.(reason);
  }
}
