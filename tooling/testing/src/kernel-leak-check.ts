import * as tf from '@tensorflow/tfjs-core';

interface CheckedEngine {
  checkKernelForMemLeak(kernelName: string, dataIdsBefore: number, outputs: tf.TensorInfo[]): void;
}

let hasCheck = false;

/**
 * Turns on the flag under which tfjs finds a kernel that leaves data behind, for kernels only: tfjs applies the same count to the
 * forward function of `tf.customGrad`, where it takes every tensor saved for the backward pass for a leak.
 */
export function checkKernelsForLeaks(): void {
  tf.env().set('IS_TEST', true);
  if (hasCheck) return;
  hasCheck = true;
  const engine = tf.engine() as unknown as CheckedEngine;
  const check = engine.checkKernelForMemLeak.bind(engine);
  engine.checkKernelForMemLeak = (kernelName, dataIdsBefore, outputs) => {
    if (tf.getKernel(kernelName, tf.getBackend())) check(kernelName, dataIdsBefore, outputs);
  };
}
