import { type FusedKernel, webGpuBackend } from '@mixfold/tensor-ops';
import { runElements } from '../run-elements';
import { acceptsPlaces } from '../webgpu-accepts';

export const webgpuRelativeBias: FusedKernel = {
  accepts: acceptsPlaces,
  run({ inputs: { values }, attributes, outputShapes, backend }) {
    const bias = runElements(webGpuBackend(backend), {
      name: 'DiagonalCopies',
      inputs: { values: values! },
      shape: outputShapes.bias!,
      uniforms: { n: attributes.length as number, columns: values!.shape[1]! },
      code: `
fn element(i: i32) -> f32 {
  let n = uniforms.n;
  let offset = i / n % n - i % n;
  return values[i / n / n * uniforms.columns + (uniforms.columns - 1) / 2 + offset];
}`,
    });
    return { bias };
  },
};

/** One thread per head and offset, down its diagonal, in sums of 64. */
export const webgpuRelativeBiasBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run({ inputs: { values, dBias }, attributes, outputShapes, backend }) {
    const dValues = runElements(webGpuBackend(backend), {
      name: 'DiagonalSums',
      inputs: { dBias: dBias! },
      shape: outputShapes.dValues!,
      uniforms: { n: attributes.length as number, columns: values!.shape[1]! },
      code: `
fn element(i: i32) -> f32 {
  let n = uniforms.n;
  let offset = i % uniforms.columns - (uniforms.columns - 1) / 2;
  let head = i / uniforms.columns * n * n;
  let end = min(n, n + offset);
  var total = 0.0;
  var sum = 0.0;
  var count = 0;
  for (var row = max(0, offset); row < end; row++) {
    sum += dBias[head + row * n + row - offset];
    count++;
    if (count == 64) {
      total += sum;
      sum = 0.0;
      count = 0;
    }
  }
  return total + sum;
}`,
    });
    return { dValues };
  },
};
