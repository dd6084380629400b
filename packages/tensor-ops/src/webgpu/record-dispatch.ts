import { env } from '@tensorflow/tfjs-core';
import { timerOf } from './kernel-timer';
import type { WebGpuBackend } from './web-gpu-backend';

/**
 * Records one dispatch in the backend's own compute pass, submits when the backend would, and times it while `tf.time` or `timeKernels` runs: what
 * `WebGPUBackend.recordAndSubmit` does after its bind group, so that our programs and tfjs's stand in one queue in call order.
 */
export function recordDispatch(
  backend: WebGpuBackend,
  name: string,
  pipeline: GPUComputePipeline,
  bindGroup: GPUBindGroup,
  workgroups: [number, number, number],
): void {
  const timers = backend.activeTimers;
  const timer = timerOf(backend);
  timer?.beginPass(name);
  backend.ensureCommandEncoderReady();
  if (timers && backend.supportTimestampQuery) {
    backend.endComputePassEncoder();
    backend.querySet ??= backend.device.createQuerySet({ type: 'timestamp', count: backend.querySetCount });
    backend.computePassEncoder = backend.commandEncoder!.beginComputePass({
      timestampWrites: { querySet: backend.querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    });
  }
  backend.computePassEncoder ??= backend.commandEncoder!.beginComputePass();
  const pass = backend.computePassEncoder;
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...workgroups);
  backend.dispatchCountInPass++;
  timer?.endPass();
  if (timers) {
    backend.endComputePassEncoder();
    timers.push({ name, query: backend.getQueryTime() });
  } else if (env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') <= backend.dispatchCountInPass) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}
