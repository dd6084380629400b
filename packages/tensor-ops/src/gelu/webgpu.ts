import { util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

/**
 * WGSL of `fn gated(x: f32) -> vec2f`: what `x` is multiplied with, and the derivative of the product. All through exponentials
 * of negative numbers, which cannot overflow; the polynomial is that of assembly/gelu.kernel.ts.
 */
const gates = {
  none: `
fn gated(x: f32) -> vec2f {
  let bell = exp(-0.5 * min(x * x, 200.0));
  let t = 1.0 / (1.0 + 0.35 * abs(x));
  var p = -0.029125963855403163 * t + 0.14387269840189135;
  p = p * t - 0.2555054816672961;
  p = p * t + 0.15893028632844314;
  p = p * t - 0.022937782357617925;
  p = p * t + 0.1054331892408521;
  p = p * t + 0.11985237915709772;
  p = p * t + 0.13985908941496894;
  p = p * t + 0.13962156945633153;
  let beyond = p * t * bell;
  let below = select(1.0 - beyond, beyond, x < 0.0);
  return vec2f(below, below + 0.3989422804014327 * clamp(x, -20.0, 20.0) * bell);
}`,
  tanh: `
fn gated(given: f32) -> vec2f {
  let x = clamp(given, -30.0, 30.0);
  let z = x * (1.5957691216057308 + 0.07135481627260025 * x * x);
  let e = exp(-abs(z));
  let s = 1.0 / (1.0 + e);
  let gate = select(e * s, s, z >= 0.0);
  return vec2f(gate, gate + x * e * s * s * (1.5957691216057308 + 0.21406444881780075 * x * x));
}`,
};

/** A kernel that reads `names` element by element and makes one tensor of their shape, each element by the WGSL `element`. */
function elementwise(name: string, names: string, made: string, element: string): FusedKernel {
  return {
    accepts: acceptsBindings,
    run({ inputs, attributes, outputShapes, backend }) {
      const shape = outputShapes[made]!;
      const size = util.sizeFromShape(shape);
      return runProgram(webGpuBackend(backend), {
        name,
        inputs: Object.fromEntries(names.split(' ').map((input) => [input, inputs[input]!])),
        outputs: { [made]: { shape } },
        uniforms: { size: { type: 'u32', value: size } },
        workgroupSize: [128, 1, 1],
        workgroups: [Math.min(Math.ceil(size / 128), 32_768), 1, 1],
        code: `${gates[attributes.approximate as keyof typeof gates]}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) { ${made}[i] = ${element}; }
}`,
      });
    },
  };
}

export const webgpuGelu = /* @__PURE__ */ elementwise('GeluShader', 'x', 'output', 'x[i] * gated(x[i]).x');
export const webgpuGeluBackward = /* @__PURE__ */ elementwise(
  'GeluBackwardShader',
  'x dOutput',
  'dX',
  'dOutput[i] * gated(x[i]).y',
);
