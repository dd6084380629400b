import { type FusedKernel, type KernelCall, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { boundaryCode } from '../boundary';
import { runElements, sumOfParts } from '../run-elements';
import { acceptsPlaces } from '../webgpu-accepts';
import { readFunction, withOffsets } from '../webgpu-offsets';
import { boundaryFunctions } from '../wgsl-boundary';
import { geometryOf } from './geometry';

/** Products that are added one after the other; longer sums are made of such sums. */
const SPAN = 64;

/** Elements of the parts that the sums of the gradient of theta are made in. */
const MOST_PARTS = 2 ** 24;

/** One thread per output. */
function convolve(call: KernelCall, x: TensorInfo, theta: TensorInfo, adjoint: boolean): TensorInfo {
  const { height, width, offsets, boundary } = geometryOf(call.sizes, call.attributes);
  return withOffsets(webGpuBackend(call.backend), offsets, (table) =>
    runElements(webGpuBackend(call.backend), {
      uniforms: { height, width, boundary: boundaryCode(boundary), dim: call.sizes.dim!, terms: offsets.length },
      name: adjoint ? 'ShiftDepthwiseBackwardInput' : 'ShiftDepthwise',
      inputs: { x, theta, offsets: table },
      shape: x.shape,
      code: `${boundaryFunctions(adjoint)}${readFunction('readRow', 'x')}
fn element(i: i32) -> f32 {
  let channel = i % uniforms.dim;
  let position = i / uniforms.dim;
  var total = 0.0;
  var sum = 0.0;
  for (var term = 0; term < uniforms.terms; term++) {
    sum = fma(readRow(position, term, channel, uniforms.dim), theta[term * uniforms.dim + channel], sum);
    if (term % ${SPAN} == ${SPAN - 1}) {
      total += sum;
      sum = 0.0;
    }
  }
  return total + sum;
}`,
    }),
  );
}

/** Two dispatches: sums over chunks of positions, one thread per chunk, term and channel, then their totals. */
function thetaGradient(call: KernelCall, x: TensorInfo, dOutput: TensorInfo): TensorInfo {
  const { batch, height, width, offsets, boundary } = geometryOf(call.sizes, call.attributes);
  const backend = webGpuBackend(call.backend);
  const shape = call.outputShapes.dTheta!;
  const elements = util.sizeFromShape(shape);
  const positions = batch * height * width;
  const chunk = Math.max(32, Math.ceil(Math.sqrt(positions)), Math.ceil((positions * elements) / MOST_PARTS));
  const chunks = Math.ceil(positions / chunk);
  const partial = withOffsets(backend, offsets, (table) =>
    runElements(backend, {
      uniforms: { height, width, boundary: boundaryCode(boundary), dim: call.sizes.dim!, elements, chunk, positions },
      name: 'ShiftDepthwiseBackwardParts',
      inputs: { x, dOutput, offsets: table },
      shape: [chunks, elements],
      code: `${boundaryFunctions(false)}${readFunction('readRow', 'x')}
fn element(i: i32) -> f32 {
  let channel = i % uniforms.dim;
  let term = i % uniforms.elements / uniforms.dim;
  let begin = i / uniforms.elements * uniforms.chunk;
  let end = min(begin + uniforms.chunk, uniforms.positions);
  var total = 0.0;
  var sum = 0.0;
  for (var position = begin; position < end; position++) {
    sum = fma(readRow(position, term, channel, uniforms.dim), dOutput[position * uniforms.dim + channel], sum);
    if ((position - begin) % ${SPAN} == ${SPAN - 1}) {
      total += sum;
      sum = 0.0;
    }
  }
  return total + sum;
}`,
    }),
  );
  const dTheta = sumOfParts(backend, partial, shape);
  backend.disposeData(partial.dataId);
  return dTheta;
}

export const webgpuShiftDepthwise: FusedKernel = {
  accepts: acceptsPlaces,
  run: (call) => ({ output: convolve(call, call.inputs.x!, call.inputs.theta!, false) }),
};

export const webgpuShiftDepthwiseBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { x, theta, dOutput } = call.inputs;
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dX) made.dX = convolve(call, dOutput!, theta!, true);
    if (call.outputShapes.dTheta) made.dTheta = thetaGradient(call, x!, dOutput!);
    return made;
  },
};
