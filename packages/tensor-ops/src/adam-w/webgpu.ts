import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { acceptsList, gathered, scatter } from '../tensor-list/webgpu-list';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { type AdamWAttributes, type Segment, segmentsOf, updateTerms } from './update-terms';

const THREADS = 64;

/**
 * One dispatch over all parameters. A program binds eight buffers, so parameters and gradients are copied by the device into one buffer each, behind
 * the gradients their scale, and the new parameters out of one.
 */
export const webgpuAdamW: FusedKernel = {
  accepts: acceptsList('parameters'),
  run(call) {
    const gpu = webGpuBackend(call.backend);
    const attributes = call.attributes as AdamWAttributes;
    const terms = updateTerms(attributes);
    const segments = segmentsOf(call.inputs, call.sizes, attributes);
    const { mean, square, gradientScale } = call.inputs as Record<string, TensorInfo>;
    const weights = call.sizes.weights!;
    const parameters = gathered(
      gpu,
      segments.map(({ parameter }) => parameter),
    );
    const gradients = gathered(gpu, [...segments.map(({ gradient }) => gradient), ...(gradientScale ? [gradientScale] : [])]);
    const shape = [weights];
    const uniforms = Object.entries(terms).map(([name, value]) => [name, { type: 'f32', value }] as const);
    const { updated, ...moments } = runProgram(gpu, {
      name: 'AdamWShader',
      inputs: { parameters, gradients, mean: mean!, square: square! },
      outputs: { updated: { shape }, newMean: { shape }, newSquare: { shape } },
      uniforms: { weights: { type: 'u32', value: weights }, ...Object.fromEntries(uniforms) },
      workgroupSize: [THREADS, 1, 1],
      workgroups: [Math.min(Math.ceil(weights / THREADS), gpu.device.limits.maxComputeWorkgroupsPerDimension), 1, 1],
      code: `
${decayOf(segments)}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.weights; i += groups.x * workgroupSize.x) {
    let g = gradients[i]${gradientScale ? ' * gradients[uniforms.weights]' : ''};
    let m = uniforms.keptMean * mean[i] + uniforms.takenMean * g;
    let v = uniforms.keptSquare * square[i] + uniforms.takenSquare * g * g;
    newMean[i] = m;
    newSquare[i] = v;
    let step = m / (sqrt(v) * uniforms.deviationScale + uniforms.epsilon);
    updated[i] = decayOf(i) * parameters[i] - uniforms.stepSize * step;
  }
}`,
    });
    for (const { dataId } of [parameters, gradients]) gpu.disposeData(dataId);
    const outputs = scatter(
      gpu,
      updated,
      segments.map(({ name }) => [name, call.outputShapes[name]!]),
    );
    gpu.disposeData(updated.dataId);
    return { ...outputs, mean: moments.newMean, square: moments.newSquare };
  },
};

/** WGSL that finds the factor of an element by bisection: which parameters decay changes at the places listed. */
function decayOf(segments: readonly Segment<TensorInfo>[]): string {
  const turns = segments.filter(({ decays }, i) => i > 0 && decays !== segments[i - 1]!.decays).map(({ start }) => `${start}u`);
  const [first, second] = segments[0]!.decays ? ['uniforms.decay', '1.0'] : ['1.0', 'uniforms.decay'];
  if (turns.length === 0) {
    // The uniform must be used in every program.
    return `fn decayOf(i: u32) -> f32 { return select(uniforms.decay, 1.0, ${segments[0]!.decays ? 'false' : 'true'}); }`;
  }
  return `
const turns = array<u32, ${turns.length}>(${turns.join(', ')});
fn decayOf(i: u32) -> f32 {
  var low = 0u;
  var high = ${turns.length}u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (turns[middle] <= i) { low = middle + 1u; } else { high = middle; }
  }
  return select(${first}, ${second}, (low & 1u) == 1u);
}`;
}
