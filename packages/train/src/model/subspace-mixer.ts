import { type MssaState, mssa, mssaOperator, mssaPrefill, mssaState, mssaStep } from '@mixfold/subspace-attention';
import { mul, reshape, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { withBias } from './feed-forward';
import type { Params } from './params';
import type { MixerState, MixerUse, StreamingMixer } from './token-mixer';
import { constant, uniform } from './weight-plan';

/** Where a head's result goes: back through its subspace, or through weights of its own. */
export const outputKinds = ['tied', 'untied'] as const;

/** Sizes of a mixer by subspaces. */
export interface SubspaceConfig {
  readonly heads: number;
  readonly headDim: number;
  readonly output: (typeof outputKinds)[number];
  /** What is added counts so much, eta. */
  readonly stepSize: number;
  /** Whether the step size is learned, from there on. */
  readonly learnStepSize: boolean;
}

/** MSSA times a step size: one projection is query, key and value of a head, and all that a stream has to keep. */
export function subspaceMixer(
  dim: number,
  { heads, headDim, output, stepSize, learnStepSize }: SubspaceConfig,
  { causal = true, hasOutputBias = false }: MixerUse = {},
): StreamingMixer {
  const isTied = output === 'tied';
  const inner = heads * headDim;

  const stepped = (params: Params, denoised: Tensor, rows: Tensor2D): Tensor2D => {
    const mixed = withBias(reshape(denoised, rows.shape) as Tensor2D, params.outputBias);
    if (learnStepSize) return mul(mixed, params.stepSize as Tensor1D);
    return stepSize === 1 ? mixed : mul(mixed, stepSize);
  };

  const weightsOf = (params: Params) => ({
    subspaces: params.subspaces as Tensor3D,
    output: params.output as Tensor3D | undefined,
  });

  return {
    operator: mssaOperator,
    shapes({ batch, time }) {
      const shapes = { tokens: [batch, time, dim], subspaces: [heads, dim, headDim] };
      return isTied ? shapes : { ...shapes, output: [heads, headDim, dim] };
    },
    plan: (width, outputDeviation) => ({
      // As the public CRATE: with longer columns a token attends to hardly anything but itself.
      subspaces: uniform([heads, width, headDim], 1 / Math.sqrt(3 * width)),
      ...(isTied ? {} : { output: uniform([heads, headDim, width], outputDeviation * Math.sqrt(width / inner)) }),
      ...(hasOutputBias ? { outputBias: constant([width], 0) } : {}),
      ...(learnStepSize ? { stepSize: constant([1], stepSize) } : {}),
    }),
    apply(params, rows, { batch, time }) {
      const { subspaces, output: own } = weightsOf(params);
      const tokens = reshape(rows, [batch, time, dim]) as Tensor3D;
      return stepped(params, mssa(tokens, subspaces, { causal, output: own }), rows);
    },
    recorded: (params) => ({ subspaces: params.subspaces as Tensor3D, options: { causal } }),
    initialState: (batch) => stateOf(mssaState(batch, heads, headDim)),
    prefill(params, rows, { batch, time }, state) {
      const { subspaces, output: own } = weightsOf(params);
      const tokens = reshape(rows, [batch, time, dim]) as Tensor3D;
      const next = mssaPrefill(tokens, subspaces, state as MssaState, { output: own });
      return { output: stepped(params, next.output, rows), state: stateOf(next.state) };
    },
    step(params, rows, state) {
      const { subspaces, output: own } = weightsOf(params);
      const next = mssaStep(rows, subspaces, state as MssaState, { output: own });
      return { output: stepped(params, next.output, rows), state: stateOf(next.state) };
    },
  };
}

/** A state of `mssa` without masks, as a mixer's. */
const stateOf = ({ operator, position, tensors: { projected } }: MssaState): MixerState => ({
  operator,
  position,
  tensors: { projected },
});
