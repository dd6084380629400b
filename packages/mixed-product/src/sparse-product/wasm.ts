import { defineWasmModule, type FusedKernel, type KernelCall, tensorPointer, type WasmBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sparseProductBinaries } from '../generated/sparse-product';

const module = /* @__PURE__ */ defineWasmModule<'product' | 'dots'>(sparseProductBinaries);

const addressesOf = (wasm: WasmBackend, ...infos: TensorInfo[]) => infos.map((info) => tensorPointer(wasm, info));

/** The edges as they are listed by the rows of the product, or by its columns. */
const listed = ({ inputs }: KernelCall, by: 'row' | 'column'): [gather: TensorInfo, start: TensorInfo, order: TensorInfo] =>
  by === 'row'
    ? [inputs.edgeColumn!, inputs.rowStart!, inputs.rowEdge!]
    : [inputs.edgeRow!, inputs.columnStart!, inputs.columnEdge!];

/** `matrix x`, or its transpose times x: which rows are made is all that differs. */
export function wasmProduct(
  call: KernelCall,
  x: TensorInfo,
  weight: TensorInfo,
  by: 'row' | 'column',
  shape: number[],
): TensorInfo {
  const wasm = call.backend as WasmBackend;
  const { product } = module.exports(wasm);
  const [batch, columns, channels] = x.shape as [number, number, number];
  const step = weight.shape[0] === 1 ? 0 : weight.shape[1]!;
  const output = wasm.makeOutput(shape, 'float32');
  product(...addressesOf(wasm, x, weight, ...listed(call, by), output), batch, columns, shape[1]!, channels, step);
  return output;
}

/** The inner product per edge of a row of `left` and one of `right`: per sample, or summed over them. */
export function wasmDots(call: KernelCall, left: TensorInfo, right: TensorInfo, shape: number[]): TensorInfo {
  const wasm = call.backend as WasmBackend;
  const { dots } = module.exports(wasm);
  const { edgeColumn, edgeRow } = call.inputs;
  const [batch, columns, channels] = left.shape as [number, number, number];
  const [samples, edges] = shape as [number, number];
  const output = wasm.makeOutput(shape, 'float32');
  const addresses = addressesOf(wasm, left, right, edgeColumn!, edgeRow!, output);
  dots(...addresses, batch, columns, right.shape[1]!, channels, edges, samples === 1 ? 0 : edges);
  return output;
}

export const wasmSparseProduct: FusedKernel = {
  run(call) {
    const { x, weight } = call.inputs;
    return { output: wasmProduct(call, x!, weight!, 'row', call.outputShapes.output!) };
  },
};

export const wasmSparseProductBackward: FusedKernel = {
  run(call) {
    const { x, weight, dOutput } = call.inputs;
    const { dX, dWeight } = call.outputShapes;
    return {
      ...(dX ? { dX: wasmProduct(call, dOutput!, weight!, 'column', dX) } : {}),
      ...(dWeight ? { dWeight: wasmDots(call, x!, dOutput!, dWeight) } : {}),
    };
  },
};
