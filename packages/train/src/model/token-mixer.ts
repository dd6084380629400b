import type { AnyOperator } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';
import type { Params } from './params';

/** Rows of a batch: `[batch * time, dim]`, rows of one sequence next to each other. */
export interface RowSizes {
  batch: number;
  time: number;
}

/** What one layer remembers of the tokens before: tensors of a size that does not grow with their number. */
export interface MixerState {
  readonly operator: string;
  readonly position: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** The part of a block that lets tokens see earlier ones: its projections and one operator. */
export interface TokenMixer {
  /** The operator that mixes, for `implementationOf`. */
  readonly operator: AnyOperator;
  /** New weights; `outputDeviation` scales what it adds to the residual stream. */
  init(random: Random, dim: number, outputDeviation: number): Params;
  /** Mixes whole sequences, each token seeing itself and those before. Differentiable. */
  apply(params: Params, rows: Tensor2D, sizes: RowSizes): Tensor2D;
  initialState(batch: number, dim: number): MixerState;
  /** As `apply`, going on from a state; the given state is not disposed. */
  prefill(params: Params, rows: Tensor2D, sizes: RowSizes, state: MixerState): { output: Tensor2D; state: MixerState };
  /** One token of every sequence, `[batch, dim]`; the given state is not disposed. */
  step(params: Params, rows: Tensor2D, state: MixerState): { output: Tensor2D; state: MixerState };
}
