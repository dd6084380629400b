import { type FusedKernel, type KernelCall, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { boundaryCode } from '../boundary';
import { runElements } from '../run-elements';
import { acceptsPlaces } from '../webgpu-accepts';
import { boundaryFunctions } from '../wgsl-boundary';
import { layoutOf } from './layout';

/** One thread per element of the result. */
function run({ backend, attributes }: KernelCall, x: TensorInfo, adjoint: boolean): TensorInfo {
  const { length, inner, offset, boundary } = layoutOf(x.shape, attributes);
  return runElements(webGpuBackend(backend), {
    name: adjoint ? 'ShiftedPlacesBackward' : 'ShiftedPlaces',
    inputs: { x },
    shape: x.shape,
    uniforms: { length, inner, offset, boundary: boundaryCode(boundary) },
    code: `
${boundaryFunctions(adjoint)}
fn element(i: i32) -> f32 {
  let place = i / uniforms.inner % uniforms.length;
  let start = i - place * uniforms.inner;
  let end = endOf(place, uniforms.offset, uniforms.length);
  var sum = 0.0;
  for (var at = firstOf(place, uniforms.offset, uniforms.length); at < end; at++) { sum += x[start + at * uniforms.inner]; }
  let other = otherOf(place, uniforms.offset, uniforms.length);
  if (other >= 0) { sum += x[start + other * uniforms.inner]; }
  return sum;
}`,
  });
}

export const webgpuShift: FusedKernel = {
  accepts: acceptsPlaces,
  run: (call) => ({ output: run(call, call.inputs.x!, false) }),
};

export const webgpuShiftBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run: (call) => ({ dX: run(call, call.inputs.dOutput!, true) }),
};
