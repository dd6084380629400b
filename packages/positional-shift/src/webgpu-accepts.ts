import { type KernelCall, webGpuBackend } from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';

/** The shaders reckon with 32-bit places, and the device binds so much of a tensor. */
export function acceptsPlaces({ inputs, outputShapes, backend }: KernelCall): string | null {
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  const bytes = 4 * Math.max(...shapes.map((shape) => util.sizeFromShape(shape)));
  const most = Math.min(webGpuBackend(backend).device.limits.maxStorageBufferBindingSize, 2 ** 32);
  return bytes <= most ? null : `the WebGPU kernels would bind ${bytes} bytes, they take ${most}`;
}
