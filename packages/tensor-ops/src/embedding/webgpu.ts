import { util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

const THREADS = 64;

/** Columns that one thread of the gradient owns. */
const COLUMNS = 4;

/** Ids that a workgroup looks at between two barriers. */
const TILE = 256;

export const webgpuEmbedding: FusedKernel = {
  run({ inputs: { table, ids }, sizes: { classes, dim }, outputShapes, backend }) {
    const size = util.sizeFromShape(ids!.shape) * dim!;
    const { output } = runProgram(webGpuBackend(backend), {
      name: 'EmbeddingShader',
      inputs: { table: table!, ids: ids! },
      outputs: { output: { shape: outputShapes.output! } },
      uniforms: {
        size: { type: 'u32', value: size },
        dim: { type: 'u32', value: dim! },
        classes: { type: 'u32', value: classes! },
      },
      workgroupSize: [THREADS, 1, 1],
      workgroups: [Math.min(Math.ceil(size / THREADS), 32768), 1, 1],
      code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    // Unsigned, a negative id is a large one.
    let row = u32(ids[i / uniforms.dim]);
    var value = 0.0;
    if (row < uniforms.classes) { value = table[row * uniforms.dim + i % uniforms.dim]; }
    output[i] = value;
  }
}`,
    });
    return { output };
  },
};

/**
 * A workgroup owns a class and `THREADS * COLUMNS` of its columns, and looks for the class among all ids, a tile at a time; only a tile that holds it is
 * walked through, in order, so the sums are the same on every run.
 */
export const webgpuEmbeddingBackward: FusedKernel = {
  run({ inputs: { ids, dOutput }, sizes: { classes, dim }, outputShapes, backend }) {
    const across = Math.min(classes!, 32768);
    const { dTable } = runProgram(webGpuBackend(backend), {
      name: 'EmbeddingBackwardShader',
      inputs: { ids: ids!, dOutput: dOutput! },
      outputs: { dTable: { shape: outputShapes.dTable! } },
      uniforms: {
        count: { type: 'u32', value: util.sizeFromShape(ids!.shape) },
        dim: { type: 'u32', value: dim! },
        classes: { type: 'u32', value: classes! },
      },
      workgroupSize: [THREADS, 1, 1],
      workgroups: [across, Math.ceil(classes! / across), Math.ceil(dim! / (THREADS * COLUMNS))],
      code: `
var<workgroup> tile: array<i32, ${TILE}>;
var<workgroup> found: atomic<u32>;

fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let row = group.x + group.y * groups.x;
  let first = group.z * ${THREADS * COLUMNS}u + local;
  var sums = array<f32, ${COLUMNS}>();
  for (var begin = 0u; begin < uniforms.count; begin += ${TILE}u) {
    if (local == 0u) { atomicStore(&found, 0u); }
    workgroupBarrier();
    for (var k = local; k < ${TILE}u; k += workgroupSize.x) {
      var id = -1;
      if (begin + k < uniforms.count) { id = ids[begin + k]; }
      tile[k] = id;
      if (u32(id) == row) { atomicStore(&found, 1u); }
    }
    workgroupBarrier();
    if (atomicLoad(&found) == 1u) {
      var partial = array<f32, ${COLUMNS}>();
      for (var k = 0u; k < ${TILE}u; k++) {
        if (u32(tile[k]) != row) { continue; }
        for (var c = 0u; c < ${COLUMNS}u; c++) {
          let column = first + c * workgroupSize.x;
          if (column < uniforms.dim) { partial[c] += dOutput[(begin + k) * uniforms.dim + column]; }
        }
      }
      for (var c = 0u; c < ${COLUMNS}u; c++) { sums[c] += partial[c]; }
    }
    workgroupBarrier();
  }
  for (var c = 0u; c < ${COLUMNS}u; c++) {
    let column = first + c * workgroupSize.x;
    if (row < uniforms.classes && column < uniforms.dim) { dTable[row * uniforms.dim + column] = sums[c]; }
  }
}`,
    });
    return { dTable };
  },
};
