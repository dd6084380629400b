import type { TensorInfo } from '@tensorflow/tfjs-core';
import { softmaxBinaries } from '../generated/softmax';
import type { Lines } from '../lines/lines';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';

type Entry = 'softmax' | 'softmaxBackward' | 'logSumExp' | 'logSumExpBackward' | 'crossEntropy' | 'crossEntropyBackward';

/** The kernels of softmax and of what is made of it. */
export const softmaxModule = /* @__PURE__ */ defineWasmModule<Entry | 'swapAxes' | 'strangeLabel'>(softmaxBinaries);

/** The addresses of tensors; 0 for an absent one. */
export const pointers = (wasm: WasmBackend, tensors: readonly (TensorInfo | undefined)[]): number[] =>
  tensors.map((info) => (info ? tensorPointer(wasm, info) : 0));

/**
 * Gives `run` the addresses of tensors whose lines are contiguous: those of `reads`, then those of `makes`. Lines that are not
 * are swapped into working memory before, and out of it afterwards.
 */
export function onRows(
  wasm: WasmBackend,
  { outer, count, inner }: Lines,
  reads: readonly (TensorInfo | undefined)[],
  makes: readonly TensorInfo[],
  run: (rows: number[]) => void,
): void {
  const { swapAxes } = softmaxModule.exports(wasm);
  const own = pointers(wasm, [...reads, ...makes]);
  if (inner === 1) {
    run(own);
    return;
  }
  const bytes = 4 * outer * count * inner;
  withScratch(wasm, bytes * own.length, (scratch) => {
    const rows = own.map((pointer, i) => (pointer === 0 ? 0 : scratch + i * bytes));
    for (const [i, info] of reads.entries()) if (info) swapAxes(own[i]!, rows[i]!, outer, count, inner);
    run(rows);
    for (let i = reads.length; i < own.length; i++) swapAxes(rows[i]!, own[i]!, outer, inner, count);
  });
}
