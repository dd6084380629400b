import {
  findBackendFactory,
  getGradient,
  getKernel,
  type KernelConfig,
  registerGradient,
  registerKernel,
  unregisterGradient,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { type Registry, registry } from '../operator/registry';
import { type WasmBuild, wasmBuild } from '../wasm/index';
import { automaticThreads } from '../wasm-threads/thread-count';
import { useThreads } from '../wasm-threads/wasm-threads';
import { einsumGradConfig } from './einsum';
import { replacements } from './replacements';

/** What `enableWasmKernels` did. */
export interface WasmReport {
  /** tfjs kernels that ours stand in for. */
  readonly replaced: readonly string[];
  /** Kernels that tfjs's WASM backend lacks. */
  readonly added: readonly string[];
  /** The build that runs now; `setWasmBuild` changes it. */
  readonly build: WasmBuild;
  /** Threads that products of matrices run on now, the main one included. */
  readonly threads: number;
  /** Why there are fewer than were asked for. */
  readonly threadsReason?: string | undefined;
  /**
   * Puts tfjs's own kernels back. A weight that was written in place, or multiplied by tfjs before that, may then give stale products: XNNPACK
   * keeps a packed copy of the right operand of each untransposed product until the tensor is disposed, and never looks at it again.
   */
  restore(): void;
}

declare module '../operator/registry' {
  interface Registry {
    /** What restores tfjs's kernels, while ours are enabled. */
    wasmKernels?: Pick<WasmReport, 'replaced' | 'added' | 'restore'> | undefined;
  }
}

/**
 * Makes tfjs's WASM backend train, and faster: models of plain tfjs ops gain without a change.
 *
 * - Products of transposed and of batched matrices, on which tfjs's own take 13 to 18 times as long as on plain ones.
 * - The gradients that it lacks: of `tf.gather`, of the filter of a convolution, of both arguments of a depthwise one. `tf.einsum`, which it lacks, gets a kernel,
 *   and a gradient, that on every backend.
 * - exp, tanh, erf, softmax, sums, transposes, slices, gathers and the gradient of a convolution's input, which it does slowly. Clones, whole slices and transposes
 *   that move nothing share their data, as on tfjs's other backends.
 *
 * Works on tfjs's heap without a copy, in both its builds (single-threaded and threaded), and for every model of the page; kernels of other backends are not
 * touched. Results are as exact as our operators' and right for empty tensors. What ours do not take (integers where they compute, strings) tfjs's still do.
 *
 * Enabled twice it changes nothing. Our products read a weight's present values: tfjs's own keep a packed copy per weight, and would not see
 * one updated in place.
 *
 * @param options.threads - threads for products of matrices, the main one included: a number, or `'auto'` for one per processor, at most 8. Absent: as
 *   they are, 1 at first, for a library does not start threads unasked. The result has the same bits on any number of them. In Node they are worker
 *   threads, which work while the main thread computes its share, and end with the process or by `restore()`; a product that takes one thread less than
 *   about 0.3 ms, or would gain less than a fifth by them, stays on one. Elsewhere there are none, and the report says so: in a browser tfjs's own
 *   threaded build serves.
 * @throws OptionError for another number of threads.
 * @throws Error if the 'wasm' backend is not registered.
 * @remarks The threads hold copies of what they read and write, in a memory that grows to the largest product and is freed by `restore()`. One that is
 *   lost is told by a warning; its share is then computed by the main thread, and so is what follows.
 * @example
 * import '@tensorflow/tfjs-backend-wasm';
 * await tf.setBackend('wasm');
 * const report = await enableWasmKernels({ threads: 'auto' });
 */
export async function enableWasmKernels(options?: { threads?: 'auto' | number }): Promise<WasmReport> {
  checkOptions('enableWasmKernels', options, { threads: 'autoOrPositiveInteger' });
  if (!findBackendFactory('wasm') || !getKernel('BatchMatMul', 'wasm')) {
    throw new Error("enableWasmKernels: the 'wasm' backend is not registered; import '@tensorflow/tfjs-backend-wasm' first");
  }
  const enabled = (registry().wasmKernels ??= install());
  const { replaced, added, restore } = enabled;
  const threads = options?.threads;
  const threadsReason = threads === undefined ? undefined : await useThreads(threads === 'auto' ? automaticThreads() : threads);
  // They are not wanted any more if `restore` was called while they started.
  if (registry().wasmKernels !== enabled) registry().wasmThreads?.stop();
  return {
    replaced,
    added,
    build: wasmBuild(),
    get threads() {
      return registry().wasmThreads?.count ?? 1;
    },
    threadsReason,
    restore,
  };
}

function install(): NonNullable<Registry['wasmKernels']> {
  const stock = new Map<string, KernelConfig | undefined>();
  for (const [kernelName, replace] of Object.entries(replacements)) {
    const own: KernelConfig | undefined = getKernel(kernelName, 'wasm');
    stock.set(kernelName, own);
    // Registering over a kernel warns. The stock kernel's set-up stays, so that it can work again if the backend starts after this.
    if (own) unregisterKernel(kernelName, 'wasm');
    registerKernel({ ...own, kernelName, backendName: 'wasm', kernelFunc: replace(own?.kernelFunc) });
  }
  // tfjs has no gradient of einsum; one that somebody else registered stays.
  const addsGradient = !getGradient(einsumGradConfig.kernelName);
  if (addsGradient) registerGradient(einsumGradConfig);
  const names = [...stock.keys()];
  const enabled = {
    replaced: names.filter((name) => stock.get(name)),
    added: names.filter((name) => !stock.get(name)),
    restore() {
      if (registry().wasmKernels !== enabled) return;
      registry().wasmKernels = undefined;
      registry().wasmThreads?.stop();
      for (const [kernelName, own] of stock) {
        unregisterKernel(kernelName, 'wasm');
        if (own) registerKernel(own);
      }
      if (addsGradient) unregisterGradient(einsumGradConfig.kernelName);
    },
  };
  return enabled;
}
