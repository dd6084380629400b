import { type FusedKernel, type KernelCall, runProgram, type WebGpuUniform, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';

const THREADS = 64;
const MOST_GROUPS = 32768;

/** Edges whose products are added before they join the sum of the row. */
const SPAN = 64;

/** Whether the device can bind every tensor of a call. */
export const acceptsBindings: NonNullable<FusedKernel['accepts']> = ({ inputs, outputShapes, backend }) => {
  const { limits } = webGpuBackend(backend).device;
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  const bytes = 4 * Math.max(...shapes.map((shape) => util.sizeFromShape(shape)));
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
};

export const gridOf = (threads: number) => ({
  workgroupSize: [THREADS, 1, 1] as [number, number, number],
  workgroups: [Math.min(Math.ceil(threads / THREADS), MOST_GROUPS), 1, 1] as [number, number, number],
});

export const uniformsOf = (sizes: Record<string, number>): Record<string, WebGpuUniform> =>
  Object.fromEntries(Object.entries(sizes).map(([name, value]) => [name, { type: 'u32', value }]));

/** A thread owns one channel of a row, or four side by side, and walks through the edges of the row. */
export function webgpuProduct(
  call: KernelCall,
  x: TensorInfo,
  weight: TensorInfo,
  by: 'row' | 'column',
  shape: number[],
): TensorInfo {
  const { inputs } = call;
  const [, columns, channels] = x.shape as [number, number, number];
  const isFour = channels % 4 === 0;
  const lanes = isFour ? channels / 4 : channels;
  const size = util.sizeFromShape(shape) / (isFour ? 4 : 1);
  const type = isFour ? 'vec4f' : 'f32';
  const [gather, start, order] =
    by === 'row'
      ? [inputs.edgeColumn!, inputs.rowStart!, inputs.rowEdge!]
      : [inputs.edgeRow!, inputs.columnStart!, inputs.columnEdge!];
  return runProgram(webGpuBackend(call.backend), {
    name: 'SparseProductShader',
    inputs: { x, weight, gather, start, order },
    outputs: { output: { shape } },
    vectors: isFour ? ['x', 'output'] : [],
    uniforms: uniformsOf({ size, lanes, columns, rows: shape[1]!, weightStep: weight.shape[0] === 1 ? 0 : weight.shape[1]! }),
    ...gridOf(size),
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    let lane = i % uniforms.lanes;
    let row = i / uniforms.lanes % uniforms.rows;
    let sample = i / uniforms.lanes / uniforms.rows;
    let first = sample * uniforms.columns * uniforms.lanes + lane;
    let end = start[row + 1u];
    var total = ${type}(0.0);
    for (var begin = start[row]; begin < end; begin += ${SPAN}) {
      var sum = ${type}(0.0);
      for (var j = begin; j < min(begin + ${SPAN}, end); j++) {
        let edge = u32(order[j]);
        sum += weight[sample * uniforms.weightStep + edge] * x[first + u32(gather[edge]) * uniforms.lanes];
      }
      total += sum;
    }
    output[i] = total;
  }
}`,
  }).output;
}

/** A thread owns an edge, of one sample or of all of them. */
export function webgpuDots(call: KernelCall, left: TensorInfo, right: TensorInfo, shape: number[]): TensorInfo {
  const { edgeColumn, edgeRow } = call.inputs;
  const [batch, columns, channels] = left.shape as [number, number, number];
  const [samples, edges] = shape as [number, number];
  const isFour = channels % 4 === 0;
  return runProgram(webGpuBackend(call.backend), {
    name: 'EdgeDotsShader',
    inputs: { left, right, edgeColumn: edgeColumn!, edgeRow: edgeRow! },
    outputs: { output: { shape } },
    vectors: isFour ? ['left', 'right'] : [],
    uniforms: uniformsOf({
      size: samples * edges,
      edges,
      perThread: samples === 1 ? batch : 1,
      lanes: isFour ? channels / 4 : channels,
      columns,
      rows: right.shape[1]!,
    }),
    ...gridOf(samples * edges),
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    let edge = i % uniforms.edges;
    let first = i / uniforms.edges;
    var total = 0.0;
    for (var sample = first; sample < first + uniforms.perThread; sample++) {
      let a = (sample * uniforms.columns + u32(edgeColumn[edge])) * uniforms.lanes;
      let b = (sample * uniforms.rows + u32(edgeRow[edge])) * uniforms.lanes;
      for (var begin = 0u; begin < uniforms.lanes; begin += 64u) {
        var sum = 0.0;
        for (var c = begin; c < min(begin + 64u, uniforms.lanes); c++) {
          sum += ${isFour ? 'dot(left[a + c], right[b + c])' : 'left[a + c] * right[b + c]'};
        }
        total += sum;
      }
    }
    output[i] = total;
  }
}`,
  }).output;
}

export const webgpuSparseProduct: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { x, weight } = call.inputs;
    return { output: webgpuProduct(call, x!, weight!, 'row', call.outputShapes.output!) };
  },
};

export const webgpuSparseProductBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { x, weight, dOutput } = call.inputs;
    const { dX, dWeight } = call.outputShapes;
    return {
      ...(dX ? { dX: webgpuProduct(call, dOutput!, weight!, 'column', dX) } : {}),
      ...(dWeight ? { dWeight: webgpuDots(call, x!, dOutput!, dWeight) } : {}),
    };
  },
};
