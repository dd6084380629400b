import type { KernelCall, WasmBackend } from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import type { Offset2d } from './shift-convolution/geometry';

/** Writes the offsets of the terms where the kernels read them: two integers each. No allocation may come between. */
export function writeOffsets(wasm: WasmBackend, address: number, offsets: readonly Offset2d[]): void {
  new Int32Array(wasm.wasm.HEAPU8.buffer, address, 2 * offsets.length).set(offsets.flat());
}

/** The kernels reckon with 32-bit places. */
export function acceptsPlaces({ inputs, outputShapes }: KernelCall): string | null {
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  const most = Math.max(...shapes.map((shape) => util.sizeFromShape(shape)));
  return most < 2 ** 30 ? null : `the WASM kernels take tensors of less than 2^30 elements, one has ${most}`;
}
