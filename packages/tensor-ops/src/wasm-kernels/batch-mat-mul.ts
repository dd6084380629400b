import type { KernelFunc } from '@tensorflow/tfjs-core';
import type { WasmBackend } from '../wasm/index';
import { matrixProduct } from './matrix-product';

/** tfjs's kernel `BatchMatMul`, behind `tf.matMul` and `tf.dot`, for every transpose and batch. */
export const batchMatMul: KernelFunc = ({ inputs, backend, attrs }) => {
  const { transposeA = false, transposeB = false } = attrs ?? {};
  return matrixProduct(backend as WasmBackend, inputs.a!, inputs.b!, Boolean(transposeA), Boolean(transposeB));
};
