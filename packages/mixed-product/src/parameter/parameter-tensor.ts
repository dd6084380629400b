import { matMul } from '@mixfold/tensor-ops';
import { eye, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { copied, permuted, viewAs } from '../tape/views';
import type { Parameter } from './parameter';
import { stagesOf } from './stages';

/**
 * A parameter as one tensor, whatever its form.
 *
 * @param parameter - Of any form.
 * @returns `[terms, inputDim, outputDim]`. New tensor; the caller disposes it. Differentiable in the factors.
 * @remarks For looking at; `generalizedConvolution` uses the factors.
 */
export function parameterTensor(parameter: Parameter): Tensor3D {
  if (parameter.kind === 'full') return copied(parameter.factors.theta as Tensor3D);
  return tidy(() => {
    const { terms, inputDim, outputDim } = parameter;
    const { input, core, output } = stagesOf(parameter);
    // What each unit vector becomes: [1, inputDim, terms, outputDim].
    const units = viewAs<Tensor3D>(input ?? eye(inputDim), [1, inputDim, core.inputDim]);
    const made = core.expand(units);
    const whole = output === null ? made : matMul(made, output);
    return permuted<Tensor3D>(viewAs(whole, [inputDim, terms, outputDim]), [1, 0, 2]);
  });
}
