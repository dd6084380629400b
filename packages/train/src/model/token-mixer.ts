import type { LayerRecord } from '@mixfold/subspace-attention/measure';
import type { AnyOperator } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Params } from './params';
import type { ParamsPlan } from './weight-plan';

/** Rows of a batch: `[batch * time, dim]`, rows of one sequence next to each other. */
export interface RowSizes {
  batch: number;
  time: number;
}

/** What one layer remembers of the tokens before. Attention remembers them all, other mixers no more than a fixed number of tensors of fixed size. */
export interface MixerState {
  readonly operator: string;
  readonly position: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** The attending heads of one layer: `[batch, heads, time, headDim]` each, the bias `[heads, target, source]` if scores have one. */
export interface AttentionHeads {
  readonly query: Tensor4D;
  readonly key: Tensor4D;
  readonly value: Tensor4D;
  readonly bias: Tensor | undefined;
  readonly output: Tensor4D;
}

/** Sees the heads of a layer before they are joined; what it returns takes the place of their outputs. For analysis. */
export type WatchHeads = (heads: AttentionHeads) => Tensor4D;

/** Where a mixer stands. */
export interface MixerUse {
  /** Whether a token sees no later one; default true. A mixer of images sees all. */
  readonly causal?: boolean;
  /** Whether a bias follows its output; default false. */
  readonly hasOutputBias?: boolean;
}

/** The part of a block that lets tokens see earlier ones: its projections and one operator. */
export interface TokenMixer {
  /** The operator that mixes, for `implementationOf`. */
  readonly operator: AnyOperator;
  /** The shapes of that operator's inputs in a batch, for `implementationOf`. */
  shapes(sizes: RowSizes, dim: number): Record<string, readonly number[]>;
  /** Its weights; `outputDeviation` scales what it adds to the residual stream at first. */
  plan(dim: number, outputDeviation: number): ParamsPlan;
  /** Mixes whole sequences, each token seeing itself and those before. Differentiable. Mixers without attention never call `watch`. */
  apply(params: Params, rows: Tensor2D, sizes: RowSizes, watch?: WatchHeads): Tensor2D;
  /** What `traceLayers` needs to know of a layer beside its tokens; of mixers with subspaces. */
  recorded?(params: Params): Pick<LayerRecord, 'subspaces' | 'options'>;
}

/** A causal mixer that can go on from what it has seen. */
export interface StreamingMixer extends TokenMixer {
  initialState(batch: number, dim: number): MixerState;
  /** As `apply`, going on from a state; the given state is not disposed. */
  prefill(params: Params, rows: Tensor2D, sizes: RowSizes, state: MixerState): { output: Tensor2D; state: MixerState };
  /** One token of every sequence, `[batch, dim]`; the given state is not disposed. */
  step(params: Params, rows: Tensor2D, state: MixerState): { output: Tensor2D; state: MixerState };
}
