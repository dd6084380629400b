import { util } from '@tensorflow/tfjs-core';
import { sumBinaries } from '../generated/sum';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { type Replacement, sameData, sizeOf, zeros } from './replacement';

const module = /* @__PURE__ */ defineWasmModule<'sum' | 'sumScratchBytes'>(sumBinaries);

/** One pass: the sum over the middle axis of three. */
interface Pass {
  readonly outer: number;
  readonly count: number;
  readonly inner: number;
}

/** Neighbouring axes that are summed alike are one; the passes go from the last such run to the first. Axes of size 1 are no work. */
export function sumPasses(shape: readonly number[], axes: readonly number[]): Pass[] {
  const runs: { size: number; summed: boolean }[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const summed = axes.includes(axis);
    const last = runs.at(-1);
    if (last?.summed === summed) last.size *= size;
    else runs.push({ size, summed });
  }
  const passes: Pass[] = [];
  let inner = 1;
  for (let place = runs.length - 1; place >= 0; place--) {
    const { size, summed } = runs[place]!;
    if (!summed) inner *= size;
    else passes.push({ outer: runs.slice(0, place).reduce((all, run) => all * run.size, 1), count: size, inner });
  }
  return passes;
}

/**
 * tfjs's kernel `Sum`, without a transpose before it, and with short partial sums: tfjs adds one by one, so that its error grows with the length.
 * Integers are left to tfjs. No elements sum to 0.
 */
export const sum: Replacement = (stock) => (call) => {
  const x = call.inputs.x!;
  const wasm = call.backend as WasmBackend;
  const axes = util.parseAxisParam((call.attrs?.axis ?? null) as number[], x.shape);
  const isKept = (_: unknown, axis: number) => !axes.includes(axis);
  const shape = call.attrs?.keepDims ? x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : x.shape.filter(isKept);
  if (sizeOf(x) === 0) return zeros(wasm, shape, x.dtype);
  if (x.dtype !== 'float32') return stock!(call);
  const passes = sumPasses(x.shape, axes);
  if (passes.length === 0) return sameData(wasm, x, shape);
  const kernels = module.exports(wasm);
  const working = Math.max(...passes.map(({ inner }) => kernels.sumScratchBytes(inner)));
  const between = passes.slice(0, -1).map(({ outer, inner }) => 4 * outer * inner);
  return withScratch(
    wasm,
    between.reduce((all, bytes) => all + bytes, working),
    (scratch) => {
      const out = wasm.makeOutput(shape, 'float32');
      let from = tensorPointer(wasm, x);
      let next = scratch + working;
      for (const [i, { outer, count, inner }] of passes.entries()) {
        const to = i < between.length ? next : tensorPointer(wasm, out);
        kernels.sum(from, to, scratch, outer, count, inner);
        from = to;
        next += between[i] ?? 0;
      }
      return out;
    },
  );
};
