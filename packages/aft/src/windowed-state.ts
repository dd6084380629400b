import { OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import { type AftState, checkState } from './state';

/**
 * The state of an operator whose bias reaches over a window: sums of the sources that have left it, and the last keys and values. One tensor
 * holds it all, one row per batch entry, so that a step reads and writes one.
 */
export interface WindowedState<Name extends string = string> extends AftState<Name> {
  readonly sizes: Readonly<Record<string, number>>;
  readonly tensors: { readonly memory: Tensor2D };
}

/** Refuses what is not a state of `operator`, and one made for other sizes than those of the arguments. */
export function checkWindowedState(
  functionName: string,
  state: WindowedState,
  operator: string,
  sizes: Readonly<Record<string, number>>,
): void {
  checkState(functionName, state, operator);
  const own = state.sizes as WindowedState['sizes'] | undefined;
  if (own === undefined)
    throw new OptionError(`${functionName}: state lacks its sizes; it takes one from ${operator}State or an earlier call`);
  const list = (of: Readonly<Record<string, number>>) =>
    Object.keys(sizes)
      .map((name) => `${name} ${of[name]}`)
      .join(', ');
  if (Object.entries(sizes).some(([name, size]) => own[name] !== size)) {
    throw new ShapeError(`${functionName}: state was made for ${list(own)}, but the arguments have ${list(sizes)}`);
  }
}
