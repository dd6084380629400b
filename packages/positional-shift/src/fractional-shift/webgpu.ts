import { type FusedKernel, type KernelCall, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type Boundary, boundaryCode } from '../boundary';
import { runElements, sumOfParts } from '../run-elements';
import { acceptsPlaces } from '../webgpu-accepts';
import { boundaryFunctions } from '../wgsl-boundary';

/** Products that are added one after the other; longer sums are made of such sums. */
const SPAN = 64;

/** A head's offset: its whole part, brought to within a turn of the axis, and the rest. */
const parts = `
fn wholeOf(head: i32) -> i32 {
  let whole = floor(offset[head]);
  let length = f32(uniforms.time);
  if (uniforms.boundary == 1) { return clamp(i32(whole - length * floor((whole + 0.5) / length)), 0, uniforms.time - 1); }
  return i32(clamp(whole, -length - 1.0, length + 1.0));
}
fn restOf(head: i32) -> f32 { return offset[head] - floor(offset[head]); }`;

const uniformsOf = ({ sizes, attributes }: KernelCall) => ({
  time: sizes.time!,
  dim: sizes.dim!,
  headDim: sizes.dim! / sizes.heads!,
  boundary: boundaryCode(attributes.boundary as Boundary),
});

/** What a place reads at two neighbouring offsets. */
const neighbours = `
fn at(start: i32, place: i32) -> f32 {
  let source = resolved(place, uniforms.time);
  if (source < 0) { return 0.0; }
  return x[start + source * uniforms.dim];
}`;

export const webgpuFractionalShift: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { x, offset } = call.inputs as Record<'x' | 'offset', TensorInfo>;
    const output = runElements(webGpuBackend(call.backend), {
      name: 'RealShift',
      inputs: { x, offset },
      shape: x.shape,
      uniforms: uniformsOf(call),
      code: `${boundaryFunctions(false)}${parts}${neighbours}
fn element(i: i32) -> f32 {
  let head = i % uniforms.dim / uniforms.headDim;
  let time = i / uniforms.dim % uniforms.time;
  let start = i - time * uniforms.dim;
  let place = time - wholeOf(head);
  let rest = restOf(head);
  return (1.0 - rest) * at(start, place) + rest * at(start, place - 1);
}`,
    });
    return { output };
  },
};

function inputGradient(call: KernelCall, dOutput: TensorInfo, offset: TensorInfo): TensorInfo {
  return runElements(webGpuBackend(call.backend), {
    name: 'RealShiftInput',
    inputs: { dOutput, offset },
    shape: dOutput.shape,
    uniforms: uniformsOf(call),
    code: `${boundaryFunctions(true)}${parts}
fn returned(start: i32, time: i32, whole: i32) -> f32 {
  let end = endOf(time, whole, uniforms.time);
  var total = 0.0;
  var sum = 0.0;
  var count = 0;
  for (var n = firstOf(time, whole, uniforms.time); n < end; n++) {
    sum += dOutput[start + n * uniforms.dim];
    count++;
    if (count == ${SPAN}) {
      total += sum;
      sum = 0.0;
      count = 0;
    }
  }
  return total + sum;
}
fn element(i: i32) -> f32 {
  let head = i % uniforms.dim / uniforms.headDim;
  let time = i / uniforms.dim % uniforms.time;
  let start = i - time * uniforms.dim;
  let whole = wholeOf(head);
  let rest = restOf(head);
  let next = select(whole + 1, (whole + 1) % uniforms.time, uniforms.boundary == 1);
  return (1.0 - rest) * returned(start, time, whole) + rest * returned(start, time, next);
}`,
  });
}

/** Two dispatches: sums over chunks of positions, one thread per chunk and head, then their totals. */
function offsetGradient(call: KernelCall, x: TensorInfo, dOutput: TensorInfo, offset: TensorInfo): TensorInfo {
  const backend = webGpuBackend(call.backend);
  const heads = util.sizeFromShape(offset.shape);
  const positions = call.sizes.batch! * call.sizes.time!;
  const chunk = Math.max(8, Math.ceil(Math.sqrt(positions)));
  const partial = runElements(backend, {
    name: 'RealShiftOffset',
    inputs: { x, dOutput, offset },
    shape: [Math.ceil(positions / chunk), heads],
    uniforms: { ...uniformsOf(call), heads, chunk, positions },
    code: `${boundaryFunctions(false)}${parts}${neighbours}
fn element(i: i32) -> f32 {
  let head = i % uniforms.heads;
  let begin = i / uniforms.heads * uniforms.chunk;
  let end = min(begin + uniforms.chunk, uniforms.positions);
  let whole = wholeOf(head);
  var total = 0.0;
  for (var position = begin; position < end; position++) {
    let time = position % uniforms.time;
    var sum = 0.0;
    for (var c = 0; c < uniforms.headDim; c++) {
      let channel = head * uniforms.headDim + c;
      let start = (position - time) * uniforms.dim + channel;
      let slope = at(start, time - whole - 1) - at(start, time - whole);
      sum = fma(dOutput[position * uniforms.dim + channel], slope, sum);
    }
    total += sum;
  }
  return total;
}`,
  });
  const dOffset = sumOfParts(backend, partial, offset.shape);
  backend.disposeData(partial.dataId);
  return dOffset;
}

export const webgpuFractionalShiftBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { x, offset, dOutput } = call.inputs as Record<'x' | 'offset' | 'dOutput', TensorInfo>;
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dX) made.dX = inputGradient(call, dOutput, offset);
    if (call.outputShapes.dOffset) made.dOffset = offsetGradient(call, x, dOutput, offset);
    return made;
  },
};
