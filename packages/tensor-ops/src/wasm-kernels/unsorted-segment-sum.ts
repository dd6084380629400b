import type { KernelFunc } from '@tensorflow/tfjs-core';
import { DTypeError, OptionError, ShapeError } from '../errors';
import { segmentSumBinaries } from '../generated/segment-sum';
import { defineWasmModule, tensorPointer, type WasmBackend } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'segmentSum'>(segmentSumBinaries);

/**
 * tfjs's kernel `UnsortedSegmentSum`, which its WASM backend lacks: the gradient of `tf.gather`, so of an embedding table.
 *
 * Takes float32 and int32 data `[rows, ...]` with int32 ids `[rows]`, and keeps the data's type. A row whose id is outside
 * `[0, numSegments)` is dropped, as on tfjs's cpu backend.
 */
export const unsortedSegmentSum: KernelFunc = ({ inputs, backend, attrs }) => {
  const x = inputs.x!;
  const ids = inputs.segmentIds!;
  const segments = attrs?.numSegments;
  if (x.dtype !== 'float32' && x.dtype !== 'int32') {
    throw new DTypeError(`unsortedSegmentSum: x must be float32 or int32 on the wasm backend, is ${x.dtype}`);
  }
  if (ids.dtype !== 'int32') throw new DTypeError(`unsortedSegmentSum: segmentIds must be int32, is ${ids.dtype}`);
  if (x.shape.length === 0 || ids.shape.length !== 1 || ids.shape[0] !== x.shape[0]) {
    throw new ShapeError(
      'unsortedSegmentSum: segmentIds must have one id per row of x\n' +
        `  x           [${x.shape.join(', ')}]\n  segmentIds  [${ids.shape.join(', ')}]`,
    );
  }
  if (typeof segments !== 'number' || !Number.isSafeInteger(segments) || segments < 0) {
    throw new OptionError(`unsortedSegmentSum: numSegments must be an integer, 0 or above, is ${String(segments)}`);
  }
  const wasm = backend as WasmBackend;
  const [rows, ...rest] = x.shape as [number, ...number[]];
  const width = rest.reduce((product, size) => product * size, 1);
  const { segmentSum } = module.exports(wasm);
  const out = wasm.makeOutput([segments, ...rest], x.dtype);
  const [values, idPointer, target] = [x, ids, out].map((info) => tensorPointer(wasm, info)) as [number, number, number];
  segmentSum(values, idPointer, rows, width, target, segments, Number(x.dtype === 'int32'));
  return out;
};
