import { type FusedKernel, type KernelCall, runProgram, type WebGpuOutput, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { acceptsMssa, dispose } from './webgpu';
import { webgpuMix } from './webgpu-mixing';
import { webgpuMixBackward } from './webgpu-mixing-backward';
import { fromHeads, mapGradient, sizesOf, toHeads } from './webgpu-products';

/**
 * Runs a program over all elements of `[batch, heads, sources, headDim]`: `step` is WGSL for the element `i` at `row` of a head; rows below `uniforms.past` are
 * of earlier calls, and `at` is where an element lies among those of its own part.
 */
function alongSources<Output extends string>(
  call: KernelCall,
  name: string,
  inputs: Readonly<Record<string, TensorInfo>>,
  outputs: Readonly<Record<Output, WebGpuOutput>>,
  step: string,
): Record<Output, TensorInfo> {
  const { batch, heads, sources, past, headDim } = sizesOf(call);
  const size = batch * heads * sources * headDim;
  const numbers = { size, sources, past, headDim };
  return runProgram<Output>(webGpuBackend(call.backend), {
    name,
    inputs,
    outputs,
    uniforms: Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, { type: 'u32', value }])),
    workgroupSize: [64, 1, 1],
    workgroups: [Math.min(Math.ceil(size / 64), 32_768), 1, 1],
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    let head = i / uniforms.headDim / uniforms.sources;
    let row = i / uniforms.headDim % uniforms.sources;
    let isPast = row < uniforms.past;
    let rows = select(uniforms.sources - uniforms.past, uniforms.past, isPast);
    let at = (head * rows + select(row - uniforms.past, row, isPast)) * uniforms.headDim + i % uniforms.headDim;
    ${step}
  }
}`,
  });
}

/** As `webgpuMssa`, with one dispatch more that sets the projections behind those of the state. */
export const webgpuMssaStreaming: FusedKernel = {
  accepts: acceptsMssa,
  run(call) {
    const { tokens, past, output } = call.inputs;
    const { projected: shape, denoised, mixed: saved } = call.outputShapes;
    const own = toHeads(call, tokens!);
    const step = 'if (isPast) { projected[i] = past[at]; } else { projected[i] = own[at]; }';
    const projected = past
      ? alongSources(call, 'MssaAppend', { past, own }, { projected: { shape: shape! } }, step).projected
      : own;
    if (past) dispose(call, own);
    const { mixed, ...measures } = webgpuMix(call, projected);
    const made = { denoised: fromHeads(call, mixed, denoised!, output), projected };
    if (saved) return { ...made, mixed, ...measures };
    dispose(call, mixed, ...Object.values(measures));
    return made;
  },
};

/** As `webgpuMssaBackward`, with one dispatch more that adds what later calls send, and parts the state from the call's own tokens. */
export const webgpuMssaStreamingBackward: FusedKernel = {
  accepts: acceptsMssa,
  run(call) {
    const { tokens, dDenoised, mixed, output, dProjected: arrived } = call.inputs as Record<string, TensorInfo>;
    const { dTokens, dSubspaces, dOutput, dPast } = call.outputShapes;
    const dMixed = toHeads(call, dDenoised!);
    const made = webgpuMixBackward(call, dMixed);
    const inputs = { made: { ...made, shape: [util.sizeFromShape(arrived!.shape)] }, arrived: arrived! };
    const outputs: Record<string, WebGpuOutput> = { own: { shape: mixed!.shape }, ...(dPast && { dPast: { shape: dPast } }) };
    const step = `let sum = made[i] + arrived[i];
    ${dPast ? 'if (isPast) { dPast[at] = sum; } else { own[at] = sum; }' : 'own[at] = sum;'}`;
    const parts = alongSources(call, dPast ? 'MssaPart' : 'MssaArrive', inputs, outputs, step);
    const own = parts.own!;
    const ofTokens = { rows: tokens!, byHeads: own };
    const ofResults = { rows: dDenoised!, byHeads: mixed! };
    const results = {
      dTokens: fromHeads(call, own, dTokens!),
      dSubspaces: mapGradient(call, output ? [ofTokens] : [ofTokens, ofResults], dSubspaces!),
      ...(output && { dOutput: mapGradient(call, [ofResults], dOutput!, true) }),
      ...(parts.dPast && { dPast: parts.dPast }),
    };
    dispose(call, dMixed, made, own);
    return results;
  },
};
