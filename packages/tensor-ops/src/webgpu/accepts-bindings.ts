import { util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { webGpuBackend } from './web-gpu-backend';

/** Whether the device can bind every tensor of a call; beyond it the composed form runs. */
export const acceptsBindings: NonNullable<FusedKernel['accepts']> = ({ inputs, outputShapes, backend }) => {
  const { limits } = webGpuBackend(backend).device;
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  const bytes = 4 * Math.max(...shapes.map((shape) => util.sizeFromShape(shape)));
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
};
