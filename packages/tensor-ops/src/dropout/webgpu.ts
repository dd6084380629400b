import { util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { type DropoutAttributes, dropoutPlan } from './random-bits';
import { randomBitsCode } from './random-bits-code';

const THREADS = 64;

function dropoutKernel(input: string, output: string): FusedKernel {
  return {
    run({ inputs, attributes, outputShapes, backend }) {
      const shape = outputShapes[output]!;
      const size = util.sizeFromShape(shape);
      const { first, second, threshold, scale } = dropoutPlan(attributes as DropoutAttributes);
      const { kept } = runProgram(webGpuBackend(backend), {
        name: 'DropoutShader',
        inputs: { x: inputs[input]! },
        outputs: { kept: { shape } },
        uniforms: {
          size: { type: 'u32', value: size },
          first: { type: 'u32', value: first >>> 0 },
          second: { type: 'u32', value: second >>> 0 },
          threshold: { type: 'u32', value: threshold },
          scale: { type: 'f32', value: scale },
        },
        workgroupSize: [THREADS, 1, 1],
        workgroups: [Math.min(Math.ceil(size / THREADS), 32768), 1, 1],
        code: `${randomBitsCode('u32')}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    kept[i] = select(0.0, x[i] * uniforms.scale, randomBits(i) >= uniforms.threshold);
  }
}`,
      });
      return { [output]: kept };
    },
  };
}

export const webgpuDropout = /* @__PURE__ */ dropoutKernel('x', 'output');
export const webgpuDropoutBackward = /* @__PURE__ */ dropoutKernel('dOutput', 'dX');
