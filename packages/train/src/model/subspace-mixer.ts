import { scaledDotProductAttention } from '@mixfold/mixed-product';
import { mssa, mssaOperator } from '@mixfold/subspace-attention';
import {
  concat,
  matMul,
  mul,
  reshape,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { withBias } from './feed-forward';
import type { Params } from './params';
import type { MixerState, MixerUse, RowSizes, StreamingMixer } from './token-mixer';
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

  const advance = (params: Params, rows: Tensor2D, { batch, time }: RowSizes, { position, tensors }: MixerState) => {
    const across = reshape(transpose(params.subspaces as Tensor3D, [1, 0, 2]), [dim, inner]) as Tensor2D;
    const own = transpose(reshape(matMul(rows, across), [batch, time, heads, headDim]), [0, 2, 1, 3]);
    const projected = concat([tensors.projected!, own], 2) as Tensor4D;
    const mixed = scaledDotProductAttention(own as Tensor4D, projected, projected, { causal: true });
    const joined = reshape(transpose(mixed, [0, 2, 1, 3]), [batch * time, inner]) as Tensor2D;
    const denoised = isTied
      ? matMul(joined, across, false, true)
      : matMul(joined, reshape(params.output as Tensor3D, [inner, dim]) as Tensor2D);
    const state: MixerState = { operator: 'mssa', position: position + time, tensors: { projected } };
    return { output: stepped(params, denoised, rows), state };
  };

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
      const tokens = reshape(rows, [batch, time, dim]) as Tensor3D;
      const own = params.output as Tensor3D | undefined;
      return stepped(params, mssa(tokens, params.subspaces as Tensor3D, { causal, output: own }), rows);
    },
    recorded: (params) => ({ subspaces: params.subspaces as Tensor3D, options: { causal } }),
    initialState: (batch) => ({
      operator: 'mssa',
      position: 0,
      tensors: { projected: zeros([batch, heads, 0, headDim]) },
    }),
    prefill: advance,
    step: (params, rows, state) => advance(params, rows, { batch: rows.shape[0], time: 1 }, state),
  };
}
