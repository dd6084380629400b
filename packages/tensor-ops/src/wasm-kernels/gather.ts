import { backend_util, type Tensor, util } from '@tensorflow/tfjs-core';
import { OptionError } from '../errors';
import { tensorPointer, type WasmBackend } from '../wasm/index';
import { moveModule } from './move-blocks';
import { bytesOf, type Replacement, sizeOf } from './replacement';

/** tfjs's kernel `GatherV2`, which copies whole slices; tfjs's goes element by element, and copies the indices to check them. */
export const gather: Replacement = (stock) => (call) => {
  const { x, indices } = call.inputs as { x: Tensor; indices: Tensor };
  if (x.dtype === 'string' || indices.dtype !== 'int32') return stock!(call);
  const { axis, batchDims } = call.attrs as { axis: number; batchDims: number };
  const along = util.parseAxisParam(axis, x.shape)[0]!;
  const info = backend_util.segment_util.collectGatherOpShapeInfo(x, indices, along, batchDims);
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  const wasm = call.backend as WasmBackend;
  const kernels = moveModule.exports(wasm);
  const [source, places] = [tensorPointer(wasm, x), tensorPointer(wasm, indices)];
  const count = sizeOf(indices);
  const strange = kernels.strangeIndex(places, count, dimSize);
  if (strange >= 0) {
    const index = new Int32Array(wasm.wasm.HEAPU8.buffer, places, count)[strange];
    throw new OptionError(`gather: index ${strange} is ${index}, axis ${along} of x has places 0 to ${dimSize - 1}`);
  }
  const out = wasm.makeOutput(outputShape, x.dtype);
  if (sizeOf(out) > 0) {
    const target = tensorPointer(wasm, out);
    kernels.gather(source, places, target, batchSize, outerSize, dimSize, count / batchSize, bytesOf(x) * sliceSize);
  }
  return out;
};
