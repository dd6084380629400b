/** What a call did on every WebGPU device of the process. */
export interface GpuWork<Result> {
  /** Programs that were run, ours and tfjs's: what a call costs beside its arithmetic. */
  readonly dispatches: number;
  /** The most storage buffers that one of them binds. A stock device binds 8. */
  readonly mostBuffers: number;
  readonly result: Result;
}

/**
 * Counts the WebGPU dispatches of a call, and their buffers.
 *
 * @param fn - Synchronous or not; what it returns is not disposed.
 */
export async function countDispatches<Result>(fn: () => Result | Promise<Result>): Promise<GpuWork<Result>> {
  const [encoder, device] = [GPUComputePassEncoder.prototype, GPUDevice.prototype];
  const { dispatchWorkgroups } = encoder;
  const { createBindGroup } = device;
  let [dispatches, mostBuffers] = [0, 0];
  encoder.dispatchWorkgroups = function (...args: Parameters<typeof dispatchWorkgroups>) {
    dispatches++;
    return dispatchWorkgroups.apply(this, args);
  };
  device.createBindGroup = function (descriptor) {
    mostBuffers = Math.max(mostBuffers, [...descriptor.entries].filter(isStorage).length);
    return createBindGroup.call(this, descriptor);
  };
  try {
    const result = await fn();
    return { dispatches, mostBuffers, result };
  } finally {
    encoder.dispatchWorkgroups = dispatchWorkgroups;
    device.createBindGroup = createBindGroup;
  }
}

/** tfjs's buffers of uniforms are no storage. */
function isStorage({ resource }: GPUBindGroupEntry): boolean {
  return 'buffer' in resource && (resource.buffer.usage & GPUBufferUsage.STORAGE) !== 0;
}
