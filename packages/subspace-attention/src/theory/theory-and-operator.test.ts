import { layerNorm } from '@mixfold/tensor-ops';
import { assertClose, describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { mssa } from '../mssa/mssa';
import { denoisingStep } from './denoising-layer';
import { type DenoisingOperator, type DenoisingRun, runDenoising } from './index';
import { clusterRatios } from './signal-to-noise64';

const sizes = { tokens: 64, dim: 160, headDim: 40, heads: 4, noise: 0.05 } as const;
const stepSize = 0.1;

/** The same run by the operator in float32: the tokens after every layer. */
function tensorRun({ mixture }: DenoisingRun, layers: number, operator: DenoisingOperator): tf.Tensor2D[] {
  const [count, dim] = mixture.tokens.shape as [number, number];
  const subspaces = tf.tensor3d(Float32Array.from(mixture.subspaces.data), mixture.subspaces.shape as [number, number, number]);
  const states = [tf.tensor2d(Float32Array.from(mixture.tokens.data), [count, dim])];
  for (let layer = 0; layer < layers; layer++) {
    const tokens = states[layer]!;
    const batched = tf.expandDims<tf.Tensor3D>(operator === 'practical' ? layerNorm(tokens, tf.ones([dim])) : tokens, 0);
    const phi = operator === 'theorem' ? { threshold: 0.9 } : ('softmax' as const);
    const step = mssa(batched, subspaces, { phi, ...(operator === 'softmax' ? { scale: 1 } : {}) });
    states.push(tf.add(tokens, tf.mul(stepSize, tf.squeeze(step, [0]))));
  }
  return states;
}

describeBackends('the theory and the operator', (backend) => {
  const runs: [DenoisingOperator, number][] = [
    ['theorem', 10],
    ['practical', 5],
    ['softmax', 3],
  ];
  // On a software GPU a threshold is dozens of programs of tfjs.
  const chosen: typeof runs = backend.name === 'webgpu' ? [['practical', 2]] : runs;

  test.each(chosen)('agree to 1e-4 in the same run: %s, %i layers', async (operator, layers) => {
    const run = runDenoising({ ...sizes, layers, operator, stepSize });
    const { tokens, subspaces, labels } = run.mixture;
    const expected = tokens.data.slice();
    const call = { count: 64, dim: 160, heads: 4, headDim: 40, operator, tau: 0.9, causal: false } as const;
    for (const [layer, state] of tensorRun(run, layers, operator).entries()) {
      await assertClose(`tokens after ${layer} layers`, state, { shape: [64, 160], data: expected }, { relative: 1e-4 });
      const ratios = clusterRatios(Float64Array.from(await state.data()), subspaces.data, labels, [64, 160, 4, 40]);
      for (const [k, ratio] of ratios.entries()) expect(Math.abs(ratio / run.snr[layer]![k]! - 1)).toBeLessThan(1e-4);
      const step = denoisingStep(expected, subspaces.data, call);
      for (let i = 0; i < expected.length; i++) expected[i]! += stepSize * step[i]!;
    }
  });
});
