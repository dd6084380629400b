import { gemmBinaries } from '../generated/gemm';
import { registry } from '../operator/registry';
import { type WasmBackend, type WasmBuild, wasmBuild } from '../wasm/index';
import { compileKernels, packedBuild } from '../wasm/wasm-module';
import { divideProducts, threadsPay } from './divide-products';
import { type Gemm, multiplyParts, type Part, type ProductStack } from './product-stack';
import { planStaging, type Staging, stage, unstage } from './staging';
import { ThreadPool, workerThreads } from './thread-pool';

/** The threads that products run on beside the main one. */
export interface WasmThreads {
  /** The main thread included. */
  readonly count: number;
  /** Computes a stack of products if threads pay for its size; false if they do not, or could not be used. `scratch` serves the main thread. */
  multiply(backend: WasmBackend, gemm: Gemm, stack: ProductStack, scratch: number): boolean;
  stop(): void;
}

declare module '../operator/registry' {
  interface Registry {
    wasmThreads?: WasmThreads | undefined;
    /** Settles when the last call of `useThreads` is done: one follows the other. */
    wasmThreadsReady?: Promise<string | undefined> | undefined;
  }
}

const pageBytes = 65536;

/** Kept over pools: the engine makes a module's code faster as it runs. */
const modules = new Map<WasmBuild, WebAssembly.Module>();

function kernelModule(build: WasmBuild): WebAssembly.Module {
  let module = modules.get(build);
  if (!module) modules.set(build, (module = compileKernels(packedBuild(gemmBinaries, build), true)));
  return module;
}

/**
 * Sets the number of threads that products of matrices run on, the main one included.
 *
 * @returns why it is not that number, if so.
 */
export function useThreads(count: number): Promise<string | undefined> {
  const shared = registry();
  shared.wasmThreadsReady = Promise.resolve(shared.wasmThreadsReady).then(() => startThreads(count));
  return shared.wasmThreadsReady;
}

/**
 * Starts threads in place of those there are.
 *
 * tfjs's heap cannot be shared with them: in Node tfjs loads its single-threaded build, whose binary declares a memory of its own, unshared (its memory
 * section has no shared flag), and exports it; the threaded build, which imports a shared one, does not start in Node, for it asks for the `Worker` of a
 * browser. So the workers have a shared memory of their own. Their operands are copied into it and their results back, while what the main thread computes
 * stays where it is. Each element has the same bits wherever it is computed (`assembly/gemm.ts`).
 */
async function startThreads(count: number): Promise<string | undefined> {
  const shared = registry();
  if ((shared.wasmThreads?.count ?? 1) === count) return;
  shared.wasmThreads?.stop();
  if (count === 1) return;
  const node = workerThreads();
  if ('unavailable' in node) return node.unavailable;
  let pool: ThreadPool;
  const giveUp = (reason: string) => {
    threads.stop();
    console.warn(`enableWasmKernels: a worker thread was lost (${reason}); products run on one thread from here on`);
  };
  try {
    pool = await ThreadPool.start(count - 1, node, giveUp);
  } catch (error) {
    return `the worker threads could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
  const threads: WasmThreads = {
    count,
    multiply: (backend, gemm, stack, scratch) =>
      threadsPay(stack, count) && multiply(pool, backend, gemm, stack, scratch, divideProducts(stack, count), giveUp),
    stop() {
      pool.stop();
      if (shared.wasmThreads === threads) shared.wasmThreads = undefined;
    },
  };
  shared.wasmThreads = threads;
  return;
}

function multiply(
  pool: ThreadPool,
  backend: WasmBackend,
  gemm: Gemm,
  stack: ProductStack,
  scratch: number,
  shares: readonly Part[][],
  giveUp: (reason: string) => void,
): boolean {
  const [own, ...others] = shares as [Part[], ...Part[][]];
  const staging = planStaging(stack, others);
  if (!grow(pool.memory, staging.bytes)) return false;
  const build = wasmBuild();
  pool.provide(build, kernelModule);
  const heap = new Int32Array(backend.wasm.HEAPU8.buffer);
  const shared = new Int32Array(pool.memory.buffer);
  copyIn(heap, shared, staging);
  for (const [i, { calls, count }] of staging.workers.entries()) pool.start(i, build, { ...stack, calls, count });
  const start = performance.now();
  multiplyParts(gemm, stack, own, scratch);
  // Other processes may have the processors for a while. Yet to wait for ever for a thread that is lost is worse than to compute its share twice.
  const limit = 2000 + 4 * shares.length * (performance.now() - start);
  let lost: string | null = null;
  for (const [i, { results }] of staging.workers.entries()) {
    const failure = pool.wait(i, lost === null ? limit : 0);
    if (failure === null) for (const copy of results) unstage(heap, shared, copy);
    else multiplyParts(gemm, stack, others[i]!, scratch);
    lost ??= failure;
  }
  if (lost !== null) giveUp(lost);
  return true;
}

function copyIn(heap: Int32Array, shared: Int32Array, { operands, workers }: Staging): void {
  for (const copy of operands) stage(heap, shared, copy);
  for (const { calls, words } of workers) shared.set(words, calls / 4);
}

/** Makes room for `bytes`. There is none if the engine cannot have it; the product then runs on one thread. */
function grow(memory: WebAssembly.Memory, bytes: number): boolean {
  const missing = bytes - memory.buffer.byteLength;
  if (missing <= 0) return true;
  try {
    // Ahead by half, so that products of growing sizes seldom come here.
    memory.grow(Math.ceil(Math.min(1.5 * bytes, 65536 * pageBytes) / pageBytes) - memory.buffer.byteLength / pageBytes);
    return true;
  } catch {
    return false;
  }
}
