import { mssa } from '@mixfold/subspace-attention';
import { signalToNoise } from '@mixfold/subspace-attention/measure';
import type { DenoisingOperator, Mixture } from '@mixfold/subspace-attention/theory';
import { layerNorm } from '@mixfold/tensor-ops';
import {
  add,
  expandDims,
  mul,
  ones,
  squeeze,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tensor2d,
  tensor3d,
  tidy,
} from '@tensorflow/tfjs-core';

/** How the layers of a run attend. */
export interface DeviceLayers {
  readonly operator: DenoisingOperator;
  readonly stepSize: number;
  readonly tau: number;
  readonly layers: number;
}

/** The layers of `runDenoising` by `mssa`, in float32 on the current backend: the signal-to-noise ratio before the first and after each, by cluster. */
export async function denoiseOnDevice({ tokens, subspaces, labels }: Mixture, run: DeviceLayers): Promise<number[][]> {
  const heads = tensor3d(Float32Array.from(subspaces.data), subspaces.shape as [number, number, number]);
  const gain = ones([tokens.shape[1]!]) as Tensor1D;
  let current = tensor2d(Float32Array.from(tokens.data), tokens.shape as [number, number]);
  const measure = async () => (await signalToNoise(current, subspaces, { labels })).ratios;
  try {
    const ratios = [await measure()];
    for (let layer = 0; layer < run.layers; layer++) {
      const next = tidy(() => add<Tensor2D>(current, mul(denoised(current, heads, gain, run), run.stepSize)));
      current.dispose();
      current = next;
      ratios.push(await measure());
    }
    return ratios;
  } finally {
    for (const one of [heads, gain, current]) one.dispose();
  }
}

function denoised(tokens: Tensor2D, heads: Tensor3D, gain: Tensor1D, { operator, tau }: DeviceLayers): Tensor2D | number {
  const batch = expandDims(tokens) as Tensor3D;
  switch (operator) {
    case 'practical':
      return squeeze<Tensor2D>(mssa(layerNorm(batch, gain) as Tensor3D, heads), [0]);
    case 'softmax':
      return squeeze<Tensor2D>(mssa(batch, heads, { scale: 1 }), [0]);
    default:
      // No weight of a softmax exceeds 1.
      return tau >= 1 ? 0 : squeeze<Tensor2D>(mssa(batch, heads, { phi: { threshold: tau } }), [0]);
  }
}
