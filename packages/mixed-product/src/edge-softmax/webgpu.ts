import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsBindings, gridOf, uniformsOf } from '../sparse-product/webgpu';

/** A thread owns a row of a sample, and so all edges that end there. `body` sees them as `order[j]` for j from `begin` to `end`, behind `first`. */
function runRows(
  call: KernelCall,
  name: string,
  reads: readonly string[],
  result: string,
  body: string,
): Record<string, TensorInfo> {
  const { inputs, outputShapes, sizes, backend } = call;
  const rows = sizes.rowStarts! - 1;
  const size = sizes.batch! * rows;
  return runProgram(webGpuBackend(backend), {
    name,
    inputs: Object.fromEntries(reads.map((read) => [read, inputs[read]!])),
    outputs: { [result]: { shape: outputShapes[result]! } },
    uniforms: uniformsOf({ size, rows, edges: sizes.edges! }),
    ...gridOf(size),
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    let first = i / uniforms.rows * uniforms.edges;
    let begin = rowStart[i % uniforms.rows];
    let end = rowStart[i % uniforms.rows + 1u];
    ${body}
  }
}`,
  });
}

export const webgpuEdgeSoftmax: FusedKernel = {
  accepts: acceptsBindings,
  run: (call) =>
    runRows(
      call,
      'EdgeSoftmaxShader',
      ['scores', 'rowStart', 'rowEdge'],
      'weights',
      `
    var largest = -1e30;
    for (var j = begin; j < end; j++) { largest = max(largest, scores[first + u32(rowEdge[j])]); }
    var total = 0.0;
    for (var j = begin; j < end; j++) { total += exp(scores[first + u32(rowEdge[j])] - largest); }
    for (var j = begin; j < end; j++) {
      let e = first + u32(rowEdge[j]);
      weights[e] = exp(scores[e] - largest) / total;
    }`,
    ),
};

export const webgpuEdgeSoftmaxBackward: FusedKernel = {
  accepts: acceptsBindings,
  run: (call) =>
    runRows(
      call,
      'EdgeSoftmaxBackwardShader',
      ['weights', 'dWeights', 'rowStart', 'rowEdge'],
      'dScores',
      `
    var mean = 0.0;
    for (var j = begin; j < end; j++) {
      let e = first + u32(rowEdge[j]);
      mean = fma(weights[e], dWeights[e], mean);
    }
    for (var j = begin; j < end; j++) {
      let e = first + u32(rowEdge[j]);
      dScores[e] = weights[e] * (dWeights[e] - mean);
    }`,
    ),
};
