interface WebGpuBackendLike {
  readonly device: GPUDevice;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const filters: readonly GPUErrorFilter[] = ['validation', 'out-of-memory', 'internal'];

/**
 * Catches what WebGPU reports instead of throwing: a bad shader or binding otherwise leaves stale memory and a green test.
 *
 * @returns closes the scopes, and throws if anything was reported between.
 */
export function watchGpuErrors(backend: unknown): () => Promise<void> {
  const gpu = backend as WebGpuBackendLike;
  for (const filter of filters) gpu.device.pushErrorScope(filter);
  return async () => {
    gpu.ensureCommandEncoderReady();
    gpu.endComputePassEncoder();
    gpu.submitQueue();
    const errors = await Promise.all(filters.map(() => gpu.device.popErrorScope()));
    const messages = errors.flatMap((error) => (error ? [error.message] : []));
    if (messages.length > 0) throw new Error(`WebGPU reported: ${messages.join('\n')}`);
  };
}
