import { layerNorm } from '@mixfold/tensor-ops';
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import type { Params } from './params';
import { constant, type ParamsPlan } from './weight-plan';

/** The weights of a layer norm: a gain of that name and, if it has one, a bias. */
export function planNorm(name: string, dim: number, hasBias: boolean): ParamsPlan {
  return { [name]: constant([dim], 1), ...(hasBias ? { [`${name}Bias`]: constant([dim], 0) } : {}) };
}

/** Layer norm of rows, with the bias if the params have one. */
export function normalized(rows: Tensor2D, params: Params, name: string): Tensor2D {
  return layerNorm(rows, params[name] as Tensor1D, params[`${name}Bias`] as Tensor1D | undefined) as Tensor2D;
}
