import { customGrad, type GradSaveFunc, type Tensor } from '@tensorflow/tfjs-core';

/** The value of a function, and the tensors its gradient will read. */
export interface Forward<Output extends Tensor> {
  value: Output;
  saved: Tensor[];
}

/**
 * A function of tensors with a gradient written by hand: one node on the gradient tape, whatever number of ops it runs.
 *
 * @param forward - computes the value.
 * @param backward - from the gradient of the value and the saved tensors, one gradient per input.
 */
export function withGradient<Inputs extends Tensor[], Output extends Tensor>(
  forward: (...inputs: Inputs) => Forward<Output>,
  backward: (dOutput: Output, saved: Tensor[]) => { [Name in keyof Inputs]: Tensor },
): (...inputs: Inputs) => Output {
  const taped = (...args: (Tensor | GradSaveFunc)[]) => {
    const save = args.pop() as GradSaveFunc;
    const { value, saved } = forward(...(args as Inputs));
    save(saved);
    return { value, gradFunc: (dOutput: Tensor, kept: Tensor[]) => backward(dOutput as Output, kept) };
  };
  return customGrad(taped as Parameters<typeof customGrad>[0]) as unknown as (...inputs: Inputs) => Output;
}
