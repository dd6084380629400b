import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { FusedKernel, KernelCall } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import type { WebGpuUniform } from '../webgpu/web-gpu-program';
import { type ConvGeometry, geometryOf, reversed } from './geometry';

const THREADS = 64;
const MOST_GROUPS = 32768;

/** Products that are added one after the other; longer sums are made of such sums. */
const SPAN = 64;

/** Elements of the parts that the sums of the kernel's gradient are made in. */
const MOST_PARTS = 2 ** 24;

type Name = keyof ConvGeometry | 'size' | 'chunk' | 'chunks';

function run(
  { backend }: KernelCall,
  values: Partial<Record<Name, number>>,
  program: { name: string; inputs: Record<string, TensorInfo>; shape: number[]; code: string },
): TensorInfo {
  const uniforms: Record<string, WebGpuUniform> = {};
  for (const [name, value] of Object.entries(values)) {
    if (name === 'size' || program.code.includes(`uniforms.${name}`)) uniforms[name] = { type: 'i32', value };
  }
  return runProgram(webGpuBackend(backend), {
    name: program.name,
    inputs: program.inputs,
    outputs: { output: { shape: program.shape } },
    uniforms,
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.min(Math.ceil(values.size! / THREADS), MOST_GROUPS), 1, 1],
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = i32(id.x); i < uniforms.size; i += i32(groups.x * workgroupSize.x)) { output[i] = element(i); }
}
${program.code}`,
  }).output;
}

/** One thread per output. `isReverse` takes the taps from the last to the first. */
function convolve(call: KernelCall, x: TensorInfo, kernel: TensorInfo, geometry: ConvGeometry, isReverse: boolean): TensorInfo {
  const tap = 'ky * uniforms.windowWidth + kx';
  return run(
    call,
    { ...geometry, size: util.sizeFromShape(x.shape) },
    {
      name: isReverse ? 'DepthwiseConvBackwardInputShader' : 'DepthwiseConvShader',
      inputs: { x, kernel },
      shape: x.shape,
      code: `
fn element(i: i32) -> f32 {
  let c = i % uniforms.dim;
  let position = i / uniforms.dim;
  let column = position % uniforms.width;
  let line = position / uniforms.width;
  let y = line % uniforms.height;
  var total = 0.0;
  var sum = 0.0;
  var count = 0;
  for (var ky = 0; ky < uniforms.windowHeight; ky++) {
    let dy = uniforms.dilation * (ky - uniforms.centerY);
    if (y + dy < 0 || y + dy >= uniforms.height) { continue; }
    for (var kx = 0; kx < uniforms.windowWidth; kx++) {
      let dx = uniforms.dilation * (kx - uniforms.centerX);
      if (column + dx < 0 || column + dx >= uniforms.width) { continue; }
      let tap = ${isReverse ? `uniforms.windowHeight * uniforms.windowWidth - 1 - (${tap})` : tap};
      sum = fma(x[i + (dy * uniforms.width + dx) * uniforms.dim], kernel[tap * uniforms.dim + c], sum);
      count++;
      if (count == ${SPAN}) {
        total += sum;
        sum = 0.0;
        count = 0;
      }
    }
  }
  return total + sum;
}`,
    },
  );
}

/** Two dispatches: sums over chunks of positions, one thread per chunk, tap and channel, then their totals. */
function kernelGradient(call: KernelCall, x: TensorInfo, dOutput: TensorInfo, geometry: ConvGeometry): TensorInfo {
  const { batch, height, width } = geometry;
  const shape = call.outputShapes.dKernel!;
  const elements = util.sizeFromShape(shape);
  const positions = batch * height * width;
  const chunk = Math.max(32, Math.ceil(Math.sqrt(positions)), Math.ceil((positions * elements) / MOST_PARTS));
  const chunks = Math.ceil(positions / chunk);
  const partial = run(
    call,
    { ...geometry, chunk, size: chunks * elements },
    {
      name: 'DepthwiseConvBackwardKernelParts',
      inputs: { x, dOutput },
      shape: [chunks, elements],
      code: `
fn element(i: i32) -> f32 {
  let c = i % uniforms.dim;
  let taps = uniforms.windowHeight * uniforms.windowWidth;
  let tap = i / uniforms.dim % taps;
  let begin = i / uniforms.dim / taps * uniforms.chunk;
  let end = min(begin + uniforms.chunk, uniforms.batch * uniforms.height * uniforms.width);
  let dy = uniforms.dilation * (tap / uniforms.windowWidth - uniforms.centerY);
  let dx = uniforms.dilation * (tap % uniforms.windowWidth - uniforms.centerX);
  let apart = (dy * uniforms.width + dx) * uniforms.dim;
  var total = 0.0;
  var sum = 0.0;
  for (var position = begin; position < end; position++) {
    let column = position % uniforms.width + dx;
    let y = position / uniforms.width % uniforms.height + dy;
    if (column >= 0 && column < uniforms.width && y >= 0 && y < uniforms.height) {
      let at = position * uniforms.dim + c;
      sum = fma(x[at + apart], dOutput[at], sum);
    }
    if ((position - begin) % ${SPAN} == ${SPAN - 1}) {
      total += sum;
      sum = 0.0;
    }
  }
  return total + sum;
}`,
    },
  );
  const dKernel = run(
    call,
    { chunks, size: elements },
    {
      name: 'DepthwiseConvBackwardKernel',
      inputs: { partial },
      shape,
      code: `
fn element(i: i32) -> f32 {
  var sum = 0.0;
  for (var chunk = 0; chunk < uniforms.chunks; chunk++) { sum += partial[chunk * uniforms.size + i]; }
  return sum;
}`,
    },
  );
  webGpuBackend(call.backend).disposeData(partial.dataId);
  return dKernel;
}

/** The shaders reckon with 32-bit places. */
function accepts({ sizes, attributes }: KernelCall): string | null {
  const { dilation, windowHeight, windowWidth, height, width, dim } = geometryOf(sizes, attributes);
  const reach = dilation * Math.max(windowHeight, windowWidth) * Math.max(height, width) * dim;
  return reach < 2 ** 30 ? null : `the WebGPU kernels take windows that reach less than 2^30 elements, these reach ${reach}`;
}

export const webgpuDepthwise: FusedKernel = {
  accepts,
  run(call) {
    const { x, kernel } = call.inputs;
    return { output: convolve(call, x!, kernel!, geometryOf(call.sizes, call.attributes), false) };
  },
};

export const webgpuDepthwiseBackward: FusedKernel = {
  accepts,
  run(call) {
    const { x, kernel, dOutput } = call.inputs;
    const geometry = geometryOf(call.sizes, call.attributes);
    return {
      dX: convolve(call, dOutput!, kernel!, reversed(geometry), true),
      dKernel: kernelGradient(call, x!, dOutput!, geometry),
    };
  },
};
