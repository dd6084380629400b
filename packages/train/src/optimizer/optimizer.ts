import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import type { Params } from '../model/params';

/** What an optimiser remembers: tensors by name, and how many updates it made. */
export interface OptimizerState {
  readonly updates: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** Turns gradients into new weights; nothing given is changed or disposed. */
export interface Optimizer {
  readonly name: string;
  /** The state before the first update. The caller disposes its tensors. */
  initialState(params: Params): OptimizerState;
  /**
   * One update.
   *
   * @param gradients - one per weight, in the order of `flattenParams`.
   * @param gradientScale - factor of all gradients, such as `clippingScale` gives; default 1.
   * @returns New weights and state. New tensors.
   */
  update(
    params: Params,
    gradients: readonly Tensor[],
    state: OptimizerState,
    rate: number,
    gradientScale?: Scalar,
  ): { params: Params; state: OptimizerState };
}
