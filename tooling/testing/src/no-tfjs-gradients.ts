import { getGradient } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll } from 'vitest';

// Set-up file of the core-only test project: what passes there needs no gradient of tfjs.
const common = ['Add', 'BatchMatMul', 'Cumsum', 'Exp', 'Multiply', 'Reshape', 'Sum', 'Transpose'];

function assertNoTfjsGradients(): void {
  const found = common.filter((kernelName) => getGradient(kernelName));
  if (found.length > 0)
    throw new Error(`core-only: tfjs gradients are registered (${found.join(', ')}): something imports more than tfjs-core`);
}

beforeAll(assertNoTfjsGradients);
afterAll(assertNoTfjsGradients);
