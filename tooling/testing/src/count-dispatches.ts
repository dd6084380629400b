/**
 * Counts the WebGPU dispatches of a call, ours and tfjs's, on every device of the process: what a kernel costs beside its arithmetic.
 *
 * @param fn - Synchronous or not; what it returns is not disposed.
 */
export async function countDispatches<Result>(
  fn: () => Result | Promise<Result>,
): Promise<{ dispatches: number; result: Result }> {
  const { prototype } = GPUComputePassEncoder;
  const own = prototype.dispatchWorkgroups;
  let dispatches = 0;
  prototype.dispatchWorkgroups = function (...args: Parameters<typeof own>) {
    dispatches++;
    return own.apply(this, args);
  };
  try {
    const result = await fn();
    return { dispatches, result };
  } finally {
    prototype.dispatchWorkgroups = own;
  }
}
