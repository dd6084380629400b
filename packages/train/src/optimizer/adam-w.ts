import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { add, div, mul, sqrt, square, sub, type Tensor, tidy, zerosLike } from '@tensorflow/tfjs-core';
import { flattenParams, rebuildParams } from '../model/params';
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
 * Adam with decoupled weight decay and bias correction.
 *
 * $$ m = \beta_1 m + (1 - \beta_1) g \quad v = \beta_2 v + (1 - \beta_2) g^2 \quad
 *    w = (1 - \eta \lambda) w - \eta \frac{m / (1 - \beta_1^n)}{\sqrt{v / (1 - \beta_2^n)} + \epsilon} $$
 *
 * The state holds `mean` = m / (1 - beta1) and `square` = v / (1 - beta2) for every weight: both factors are scalars, as the bias
 * corrections are, and all of them move into the rate and the epsilon, which leaves eleven ops per weight. A weight is updated
 * whole before the next, for a matrix fits in the cache and one vector of all weights does not.
 *
 * @throws OptionError for an unknown option or one out of its range.
 * @see Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
 */
export function adamW(options: AdamWOptions = {}): Optimizer {
  const { beta1, beta2, epsilon, weightDecay } = withDefaults(options);
  return {
    name: 'adamW',
    initialState: (params) => ({
      updates: 0,
      tensors: Object.fromEntries(
        flattenParams(params).flatMap(([path, weight]) => [
          [`mean.${path}`, zerosLike(weight)],
          [`square.${path}`, zerosLike(weight)],
        ]),
      ),
    }),
    update: (params, gradients, state, rate) => {
      const updates = state.updates + 1;
      const meanCorrection = (1 - beta1) / (1 - beta1 ** updates);
      const deviationCorrection = Math.sqrt((1 - beta2) / (1 - beta2 ** updates));
      const stepSize = (rate * meanCorrection) / deviationCorrection;
      const floor = epsilon / deviationCorrection;
      const moments: Record<string, Tensor> = {};
      const weights = flattenParams(params).map(([path, weight], i) =>
        tidy(() => {
          const gradient = gradients[i]!;
          const mean = add(mul(state.tensors[`mean.${path}`]!, beta1), gradient);
          const meanSquare = add(mul(state.tensors[`square.${path}`]!, beta2), square(gradient));
          const step = mul(div(mean, add(sqrt(meanSquare), floor)), stepSize);
          const decayed = weight.rank > 1 && weightDecay > 0 ? mul(weight, 1 - rate * weightDecay) : weight;
          moments[`mean.${path}`] = mean;
          moments[`square.${path}`] = meanSquare;
          return [sub(decayed, step), mean, meanSquare];
        }),
      );
      return {
        params: rebuildParams(
          params,
          weights.map(([weight]) => weight!),
        ),
        state: { updates, tensors: moments },
      };
    },
  };
}

function withDefaults(options: AdamWOptions): Required<AdamWOptions> {
  checkOptions('adamW', options, { beta1: 'nonNegative', beta2: 'nonNegative', epsilon: 'positive', weightDecay: 'nonNegative' });
  const { beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1 } = options;
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    if (beta >= 1) throw new OptionError(`adamW: option ${name} must be below 1, got ${beta}`);
  }
  return { beta1, beta2, epsilon, weightDecay };
}
