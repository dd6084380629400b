import type { TensorInfo } from '@tensorflow/tfjs-core';
import { moveBlocksBinaries } from '../generated/move-blocks';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { bytesOf } from './replacement';

/** The kernels that only move elements. */
export const moveModule = /* @__PURE__ */ defineWasmModule<'moveBlocks' | 'gather' | 'strangeIndex'>(moveBlocksBinaries);

/** An axis of the result: how long it is, and how many elements of the source one step along it is. */
export interface Run {
  readonly size: number;
  readonly step: number;
}

/** The elements between neighbours along each axis of a tensor in row-major order. */
export function stepsOf(shape: readonly number[]): number[] {
  let step = 1;
  return [...shape]
    .reverse()
    .map((size) => {
      const own = step;
      step *= size;
      return own;
    })
    .reverse();
}

/** Axes of size 1 left out, and axes that the source has side by side, as they are here, made one. */
export function mergeRuns(axes: readonly Run[]): Run[] {
  const runs: Run[] = [];
  for (const { size, step } of axes) {
    if (size === 1) continue;
    const last = runs.at(-1);
    if (last?.step === step * size) runs[runs.length - 1] = { size: last.size * size, step };
    else runs.push({ size, step });
  }
  return runs;
}

/** Whether `moveRuns` takes these runs: elements of one byte it moves in contiguous blocks alone. */
export const canMove = (x: TensorInfo, runs: readonly Run[]): boolean => bytesOf(x) === 4 || runs.at(-1)?.step === 1;

/**
 * Fills `out` with the elements that the runs find in `x` from element `offset` on: in contiguous blocks if the last run is contiguous in `x`, else by
 * transposing matrices between the last run and the one that is.
 *
 * @param given - from `mergeRuns`; they stay inside `x`.
 */
export function moveRuns(backend: WasmBackend, x: TensorInfo, offset: number, given: readonly Run[], out: TensorInfo): void {
  const bytes = bytesOf(x);
  const runs = given.some(({ step }) => step === 1) ? given : [...given, { size: 1, step: 1 }];
  const targetSteps = stepsOf(runs.map(({ size }) => size));
  const { size: length, step } = runs.at(-1)!;
  const isBlock = step === 1;
  // The other axis of what is moved at a time: of rows that are blocks, or of the matrix.
  const other = isBlock ? runs.length - 2 : runs.findIndex((run) => run.step === 1);
  const rest = runs.flatMap((run, i) =>
    i === other || i === runs.length - 1 ? [] : [run.size, bytes * run.step, bytes * targetSteps[i]!, 0],
  );
  const across = runs[other] ?? { size: 1, step: 0 };
  const acrossStep = targetSteps[other] ?? 0;
  const sizes = isBlock
    ? [across.size, 0, bytes * across.step, bytes * acrossStep, bytes * length]
    : [length, across.size, bytes * step, bytes * acrossStep, 0];
  const { moveBlocks } = moveModule.exports(backend);
  const [source, target] = [tensorPointer(backend, x) + bytes * offset, tensorPointer(backend, out)];
  if (rest.length === 0) {
    moveBlocks(source, target, 0, 0, ...sizes);
    return;
  }
  withScratch(backend, 4 * rest.length, (axes) => {
    new Uint32Array(backend.wasm.HEAPU8.buffer, axes, rest.length).set(rest);
    moveBlocks(source, target, axes, rest.length / 4, ...sizes);
  });
}
