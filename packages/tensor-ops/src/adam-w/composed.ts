import {
  add,
  concat,
  div,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  type Tensor,
  type Tensor1D,
  tidy,
} from '@tensorflow/tfjs-core';
import type { ComposeCall } from '../operator/types';
import { type AdamWAttributes, segmentsOf, updateTerms } from './update-terms';

/** A parameter is updated whole before the next: what is made on the way is no larger than one of them. */
export function composedAdamW(
  inputs: Readonly<Record<string, Tensor>>,
  attributes: AdamWAttributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  const terms = updateTerms(attributes);
  const { mean, square: meanSquare, gradientScale } = inputs as Record<string, Tensor1D>;
  const updated: Record<string, Tensor> = {};
  const [means, squares]: [Tensor1D[], Tensor1D[]] = [[], []];
  for (const { name, parameter, gradient, size, start, decays } of segmentsOf(inputs, sizes, attributes)) {
    const [weight, m, v] = tidy(() => {
      const g = gradientScale ? mul(gradient, gradientScale) : gradient;
      const own = (moments: Tensor1D) => reshape(slice(moments, [start], [size]), parameter.shape);
      const newMean = add(mul(own(mean!), terms.keptMean), mul(g, terms.takenMean));
      const newSquare = add(mul(own(meanSquare!), terms.keptSquare), mul(square(g), terms.takenSquare));
      const step = div(newMean, add(mul(sqrt(newSquare), terms.deviationScale), terms.epsilon));
      const kept = decays ? mul(parameter, terms.decay) : parameter;
      return [sub(kept, mul(step, terms.stepSize)), reshape(newMean, [size]), reshape(newSquare, [size])];
    }) as [Tensor, Tensor1D, Tensor1D];
    updated[name] = weight;
    means.push(m);
    squares.push(v);
  }
  return { ...updated, mean: concat(means), square: concat(squares) };
}
