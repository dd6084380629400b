import { checkOptions } from '@mixfold/tensor-ops';
import { add, div, fill, mul, ones, sqrt, square, sub, type Tensor, type Tensor1D, tidy, zeros } from '@tensorflow/tfjs-core';
import { countParams, flattenParams, type Params } from '../model/params';
import { concatParams, splitParams } from './flat-params';

/** Settings of AdamW. */
export interface AdamWOptions {
  /** Decay of the mean of gradients; default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients; default 0.95. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Decoupled decay of matrices, per step in units of the rate; gains and other vectors do not decay. Default 0.1. */
  weightDecay?: number;
}

/** What an optimiser remembers: tensors by name, and how many updates it made. */
export interface OptimizerState {
  readonly updates: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** Turns gradients into new weights; nothing given is changed or disposed. */
export interface Optimizer {
  readonly name: string;
  initialState(params: Params): OptimizerState;
  /** @param gradient - one vector, in the order of `flattenParams`. */
  update<P extends Params>(
    params: P,
    gradient: Tensor1D,
    state: OptimizerState,
    rate: number,
  ): { params: P; state: OptimizerState };
}

/**
 * Adam with decoupled weight decay and bias correction.
 *
 * $$ m = \beta_1 m + (1 - \beta_1) g \quad v = \beta_2 v + (1 - \beta_2) g^2 \quad
 *    w = w - \eta \left( \frac{m / (1 - \beta_1^n)}{\sqrt{v / (1 - \beta_2^n)} + \epsilon} + \lambda w \right) $$
 *
 * Moments, weights and gradients are handled as one vector each: about twenty ops for a model of any depth.
 *
 * @throws OptionError for an unknown or non-finite option.
 * @see Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  checkOptions('adamW', options, { beta1: 'nonNegative', beta2: 'nonNegative', epsilon: 'positive', weightDecay: 'nonNegative' });
  const { beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1 } = options;
  return {
    name: 'adamW',
    initialState: (params) => {
      const size = countParams(params);
      return { updates: 0, tensors: { mean: zeros([size]), square: zeros([size]) } };
    },
    update: (params, gradient, state, rate) => {
      const updates = state.updates + 1;
      const result = tidy(() => {
        const mean = add(mul(state.tensors.mean!, beta1), mul(gradient, 1 - beta1));
        const meanSquare = add(mul(state.tensors.square!, beta2), mul(square(gradient), 1 - beta2));
        // Both bias corrections are scalars, so they move into the rate and the epsilon.
        const correction2 = Math.sqrt(1 - beta2 ** updates);
        const scale = (rate * correction2) / (1 - beta1 ** updates);
        const step = mul(div(mean, add(sqrt(meanSquare), epsilon * correction2)), scale);
        const weights = concatParams(flattenParams(params).map(([, tensor]) => tensor));
        const kept = weightDecay === 0 ? weights : mul(weights, keptFraction(params, 1 - rate * weightDecay));
        return { params: splitParams(sub<Tensor1D>(kept, step), params), tensors: { mean, square: meanSquare } };
      });
      return { params: result.params, state: { updates, tensors: result.tensors } };
    },
  };
}

/** `fraction` where a weight belongs to a matrix, 1 elsewhere. */
function keptFraction(params: Params, fraction: number): Tensor1D {
  return concatParams(flattenParams(params).map(([, { rank, size }]) => (rank > 1 ? fill([size], fraction) : ones([size]))));
}
