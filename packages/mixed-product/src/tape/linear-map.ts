import { customGrad, type GradSaveFunc, type Tensor } from '@tensorflow/tfjs-core';

/**
 * A linear function of tensors whose gradient is given, not taken from tfjs: views, moves and sums between operators go through here, so that no
 * gradient of this package needs a gradient that tfjs has registered.
 *
 * @param inputs - At least one.
 * @param forward - Makes the result of them by tfjs ops.
 * @param adjoint - Makes the gradient of each from the one that arrives at the result.
 */
export function linearMap<Result extends Tensor>(
  inputs: readonly Tensor[],
  forward: (inputs: readonly Tensor[]) => Tensor,
  adjoint: (dResult: Tensor) => Tensor[],
): Result {
  return customGrad((...given: (Tensor | GradSaveFunc)[]) => ({
    value: forward(given.slice(0, -1) as Tensor[]),
    gradFunc: (dResult: Tensor) => adjoint(dResult),
  }))(...inputs) as Result;
}

/**
 * A function of tensors that its gradient needs again.
 *
 * @param gradient - The gradient of each input from the one that arrives, the inputs and the value.
 */
export function differentiable<Result extends Tensor>(
  inputs: readonly Tensor[],
  forward: (inputs: readonly Tensor[]) => Tensor,
  gradient: (dResult: Tensor, inputs: readonly Tensor[], value: Tensor) => Tensor[],
): Result {
  return customGrad((...given: (Tensor | GradSaveFunc)[]) => {
    const own = given.slice(0, -1) as Tensor[];
    const value = forward(own);
    (given.at(-1) as GradSaveFunc)([...own, value]);
    return {
      value,
      gradFunc: (dResult: Tensor, saved: Tensor[]) => gradient(dResult, saved.slice(0, -1), saved.at(-1)!),
    };
  })(...inputs) as Result;
}
