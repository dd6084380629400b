import { acceptsBindings, type FusedKernel, type KernelCall, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsPhi } from './phi';
import { webgpuMix } from './webgpu-mixing';
import { webgpuGainGradient, webgpuMixBackward } from './webgpu-mixing-backward';
import { tilesOf } from './webgpu-pairs';
import { fromHeads, mapGradient, sizesOf, toHeads } from './webgpu-products';

/** Only softmax is fused, and the device must bind every tensor, those of the projections and what follows them in their buffer included. */
export function acceptsMssa(call: KernelCall): string | null {
  const { batch, sources, heads, headDim } = sizesOf(call);
  const inside = [batch, heads, sources + tilesOf(sources), headDim];
  return acceptsPhi(call) ?? acceptsBindings({ ...call, outputShapes: { ...call.outputShapes, inside } });
}

/** Frees what a call made on its way. */
export const dispose = ({ backend }: KernelCall, ...made: TensorInfo[]) => {
  for (const { dataId } of made) webGpuBackend(backend).disposeData(dataId);
};

/** Three dispatches: projection, attention, and the way back. A product of few results and long depth is two. */
export const webgpuMssa: FusedKernel = {
  accepts: acceptsMssa,
  run(call) {
    const projected = toHeads(call, call.inputs.tokens!);
    const { mixed, largest, denominator } = webgpuMix(call, projected);
    const made = { denoised: fromHeads(call, mixed, call.outputShapes.denoised!, call.inputs.output) };
    const saved = { projected, mixed, largest, denominator };
    if (call.outputShapes.projected) return { ...made, ...saved };
    dispose(call, ...Object.values(saved));
    return made;
  },
};

/** Four dispatches: what heads receive, all pairs, tokens, and subspaces; one more for an untied output, and one for a gain. */
export const webgpuMssaBackward: FusedKernel = {
  accepts: acceptsMssa,
  run(call) {
    const { tokens, dDenoised, mixed, output, queryKeyGain } = call.inputs as Record<string, TensorInfo>;
    const { dTokens, dSubspaces, dOutput } = call.outputShapes as Record<string, number[]>;
    const dMixed = toHeads(call, dDenoised!);
    const dProjected = webgpuMixBackward(call, dMixed);
    const ofTokens = { rows: tokens!, byHeads: dProjected };
    const ofResults = { rows: dDenoised!, byHeads: mixed! };
    const made: Record<string, TensorInfo> = {
      dTokens: fromHeads(call, dProjected, dTokens!),
      dSubspaces: mapGradient(call, output ? [ofTokens] : [ofTokens, ofResults], dSubspaces!),
      ...(output && { dOutput: mapGradient(call, [ofResults], dOutput!, true) }),
      ...(queryKeyGain && { dQueryKeyGain: webgpuGainGradient(call, dProjected) }),
    };
    dispose(call, dMixed, dProjected);
    return made;
  },
};
