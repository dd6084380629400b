import { adamWState, adamWStep, checkOptions, OptionError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { flattenParams, type Params, rebuildParams } from '../model/params';
import type { Optimizer } from './optimizer';

/** Settings of AdamW. */
export interface AdamWOptions {
  /** Decay of the mean of gradients, below 1; default 0.9. */
  beta1?: number;
  /** Decay of the mean of squared gradients, below 1; default 0.95. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Decoupled decay of matrices, per step in units of the rate; gains and other vectors do not decay. Default 0.1. */
  weightDecay?: number;
}

/**
 * Adam with decoupled weight decay and bias correction: `adamWStep` of `@mixfold/tensor-ops` over all weights, in one kernel on WASM and WebGPU.
 *
 * The state holds `mean` and `square` of all weights, one behind the other in the order of `flattenParams`.
 *
 * @throws OptionError for an unknown option or one out of its range.
 * @see Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { beta1, beta2, epsilon, weightDecay } = withDefaults(options);
  return {
    name: 'adamW',
    initialState: (params) => {
      const { updates, mean, square } = adamWState(tensorsOf(params));
      return { updates, tensors: { mean, square } };
    },
    update: (params, gradients, { updates, tensors }, rate, gradientScale) => {
      const weights = tensorsOf(params);
      const state = { updates, mean: tensors.mean as Tensor1D, square: tensors.square as Tensor1D };
      const decays = weights.map(({ rank }) => rank > 1);
      const next = adamWStep(weights, gradients, state, { rate, beta1, beta2, epsilon, weightDecay, decays, gradientScale });
      const { mean, square } = next.state;
      return {
        params: rebuildParams(params, next.parameters),
        state: { updates: next.state.updates, tensors: { mean, square } },
      };
    },
  };
}

const tensorsOf = (params: Params): Tensor[] => flattenParams(params).map(([, tensor]) => tensor);

function withDefaults(options: AdamWOptions): Required<AdamWOptions> {
  checkOptions('adamW', options, { beta1: 'nonNegative', beta2: 'nonNegative', epsilon: 'positive', weightDecay: 'nonNegative' });
  const { beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1 } = options;
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    if (beta >= 1) throw new OptionError(`adamW: option ${name} must be below 1, got ${beta}`);
  }
  return { beta1, beta2, epsilon, weightDecay };
}
