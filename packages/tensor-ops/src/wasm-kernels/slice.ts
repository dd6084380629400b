import { slice_util, type Tensor } from '@tensorflow/tfjs-core';
import { OptionError } from '../errors';
import type { WasmBackend } from '../wasm/index';
import { mergeRuns, moveRuns, stepsOf } from './move-blocks';
import { type Replacement, sameData, sizeOf } from './replacement';

/** tfjs's kernel `Slice`, which copies what it takes; tfjs's copies the whole of x first. */
export const slice: Replacement = (stock) => (call) => {
  const x = call.inputs.x!;
  if (x.dtype === 'string') return stock!(call);
  const { begin: from, size } = call.attrs as { begin: number | number[]; size: number | number[] };
  const [begin, shape] = slice_util.parseSliceParams(x as Tensor, from, size) as [number[], number[]];
  const isInside = (length: number, axis: number) =>
    begin[axis]! >= 0 && shape[axis]! >= 0 && begin[axis]! + shape[axis]! <= length;
  if (begin.length !== x.shape.length || !x.shape.every(isInside)) {
    throw new OptionError(`slice: begin [${begin}] and size [${shape}] must stay inside x\n  x  [${x.shape.join(', ')}]`);
  }
  const wasm = call.backend as WasmBackend;
  if (shape.every((length, axis) => length === x.shape[axis])) return sameData(wasm, x, shape);
  const out = wasm.makeOutput(shape, x.dtype);
  if (sizeOf(out) === 0) return out;
  const steps = stepsOf(x.shape);
  const offset = begin.reduce((all, place, axis) => all + place * steps[axis]!, 0);
  moveRuns(wasm, x, offset, mergeRuns(shape.map((length, axis) => ({ size: length, step: steps[axis]! }))), out);
  return out;
};
