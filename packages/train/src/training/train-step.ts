import { type Scalar, tidy } from '@tensorflow/tfjs-core';
import { sampleBatch } from '../data/sample-batch';
import type { Model } from '../model/model';
import type { Params } from '../model/params';
import { clippingScale } from '../optimizer/clip-by-global-norm';
import type { Optimizer, OptimizerState } from '../optimizer/optimizer';
import type { Random } from '../random/random';
import { languageLoss } from './language-loss';
import { lossAndGradients } from './loss-and-gradients';

/** What one step starts from. */
export interface StepInput {
  model: Model;
  params: Params;
  optimizer: Optimizer;
  memory: OptimizerState;
  text: Uint8Array;
  batch: number;
  context: number;
  random: Random;
  rate: number;
  maximumNorm: number;
}

/**
 * One step: draw a batch, loss and gradient, clip, update.
 *
 * @returns New weights and moments, and loss and gradient norm as scalars that have not been read. Nothing given is disposed.
 */
export function trainStep(given: StepInput): { params: Params; memory: OptimizerState; loss: Scalar; norm: Scalar } {
  const { model, params, optimizer, memory, text, random, rate, maximumNorm } = given;
  let updates = memory.updates;
  const { state, ...result } = tidy(() => {
    const batch = sampleBatch(text, given, random);
    const { loss, gradients } = lossAndGradients((weights) => languageLoss(model, weights, batch, true), params);
    const { scale, norm } = clippingScale(gradients, maximumNorm);
    const updated = optimizer.update(params, gradients, memory, rate, scale);
    updates = updated.state.updates;
    return { params: updated.params, state: updated.state.tensors as Record<string, never>, loss, norm };
  });
  return { ...result, memory: { updates, tensors: state } };
}
