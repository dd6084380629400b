import type { FusedKernel } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

const THREADS = 64;

/** One thread per pair. */
function rotaryKernel(input: string, output: string, sign: string): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }) {
      const { batch, heads, time, headDim } = sizes as Record<'batch' | 'heads' | 'time' | 'headDim', number>;
      const pairs = (batch * heads * time * headDim) / 2;
      const isAdjacent = attributes.pairing === 'adjacent';
      const { turned } = runProgram(webGpuBackend(backend), {
        name: 'RotaryEmbeddingShader',
        inputs: { x: inputs[input]!, table: inputs.table! },
        outputs: { turned: { shape: outputShapes[output]! } },
        uniforms: {
          pairs: { type: 'u32', value: pairs },
          time: { type: 'u32', value: time },
          half: { type: 'u32', value: headDim / 2 },
        },
        workgroupSize: [THREADS, 1, 1],
        workgroups: [Math.min(Math.ceil(pairs / THREADS), 32768), 1, 1],
        code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var p = id.x; p < uniforms.pairs; p += groups.x * workgroupSize.x) {
    let row = p / uniforms.half;
    let pair = p % uniforms.half;
    let angle = row % uniforms.time * 2u * uniforms.half + pair;
    let cosine = table[angle];
    let sine = ${sign}table[angle + uniforms.half];
    let first = ${isAdjacent ? '2u * p' : 'row * 2u * uniforms.half + pair'};
    let second = first + ${isAdjacent ? '1u' : 'uniforms.half'};
    let a = x[first];
    let b = x[second];
    turned[first] = a * cosine - b * sine;
    turned[second] = b * cosine + a * sine;
  }
}`,
      });
      return { [output]: turned };
    },
  };
}

export const webgpuRotary = /* @__PURE__ */ rotaryKernel('x', 'output', '');
export const webgpuRotaryBackward = /* @__PURE__ */ rotaryKernel('dOutput', 'dX', '-');
