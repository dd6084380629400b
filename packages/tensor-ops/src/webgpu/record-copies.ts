import { env, type TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGpuBackend } from './web-gpu-backend';

/** A run of float32 or int32 elements to be copied from one tensor to another. */
export interface ElementCopy {
  readonly from: TensorInfo;
  readonly fromStart: number;
  readonly to: TensorInfo;
  readonly toStart: number;
  readonly count: number;
}

/**
 * Records copies between the buffers of tensors, in call order with what was and will be dispatched. As after `runProgram`, a tensor may be given to
 * `backend.disposeData` at once.
 *
 * @param copies - within the bounds of their tensors; each buffer is there already, or is uploaded.
 */
export function recordCopies(backend: WebGpuBackend, copies: readonly ElementCopy[]): void {
  for (const { from, to } of copies) {
    backend.uploadToGPU(from.dataId);
    backend.uploadToGPU(to.dataId);
  }
  if (env().getBool('WEBGPU_ENGINE_COMPILE_ONLY')) return;
  backend.ensureCommandEncoderReady();
  // Copies stand between compute passes; the next dispatch begins another.
  backend.endComputePassEncoder();
  for (const { from, fromStart, to, toStart, count } of copies) {
    const [source, target] = [from, to].map(({ dataId }) => backend.tensorMap.get(dataId).resource as GPUBuffer) as [
      GPUBuffer,
      GPUBuffer,
    ];
    backend.commandEncoder!.copyBufferToBuffer(source, 4 * fromStart, target, 4 * toStart, 4 * count);
    backend.commandQueueOwnedIds.add(from.dataId);
    backend.commandQueueOwnedIds.add(to.dataId);
  }
}
