import type { TensorInfo } from '@tensorflow/tfjs-core';
import { depthwiseConvBinaries } from '../generated/depthwise-conv';
import type { FusedKernel, KernelCall } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { type ConvGeometry, geometryOf, reversed } from './geometry';

const module = /* @__PURE__ */ defineWasmModule<'depthwise' | 'depthwiseKernelGradient'>(depthwiseConvBinaries);

/** The kernels reckon with 32-bit places. */
function accepts({ sizes, attributes }: KernelCall): string | null {
  const { dilation, windowHeight, windowWidth, height, width } = geometryOf(sizes, attributes);
  const reach = dilation * Math.max(windowHeight, windowWidth) * Math.max(width, height);
  return reach < 2 ** 30 ? null : `the WASM kernels take windows that reach less than 2^30 positions, these reach ${reach}`;
}

/** The sizes in the order in which both entries of the kernel take them. */
const argumentsOf = (geometry: ConvGeometry): number[] => [
  geometry.batch,
  geometry.height,
  geometry.width,
  geometry.dim,
  geometry.windowHeight,
  geometry.windowWidth,
  geometry.centerY,
  geometry.centerX,
  geometry.dilation,
];

export const wasmDepthwise: FusedKernel = {
  accepts,
  run({ inputs: { x, kernel }, attributes, sizes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { depthwise } = module.exports(wasm);
    const geometry = geometryOf(sizes, attributes);
    return withScratch(wasm, 8 * geometry.windowHeight * geometry.windowWidth, (table) => {
      const output = wasm.makeOutput(outputShapes.output!, 'float32');
      const pointers = [x!, kernel!, output].map((info) => tensorPointer(wasm, info));
      depthwise(...pointers, table, ...argumentsOf(geometry), 0);
      return { output };
    });
  },
};

export const wasmDepthwiseBackward: FusedKernel = {
  accepts,
  run({ inputs: { x, kernel, dOutput }, attributes, sizes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { depthwise, depthwiseKernelGradient } = module.exports(wasm);
    const geometry = geometryOf(sizes, attributes);
    const { windowHeight, windowWidth, dim } = geometry;
    return withScratch(wasm, 4 * windowHeight * windowWidth * Math.max(dim, 2), (scratch) => {
      const dX = wasm.makeOutput(outputShapes.dX!, 'float32');
      const dKernel = wasm.makeOutput(outputShapes.dKernel!, 'float32');
      const at = (info: TensorInfo) => tensorPointer(wasm, info);
      depthwise(at(dOutput!), at(kernel!), at(dX), scratch, ...argumentsOf(reversed(geometry)), 1);
      depthwiseKernelGradient(at(x!), at(dOutput!), at(dKernel), scratch, ...argumentsOf(geometry));
      return { dX, dKernel };
    });
  },
};
