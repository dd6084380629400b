import { mul, neg, onesLike, relu, sigmoid, step, sub, type Tensor, tanh, tidy } from '@tensorflow/tfjs-core';

/** What is applied to the query before it gates the context; `'linear'` gates by the query itself, null does not gate. */
export type QueryActivation = 'sigmoid' | 'tanh' | 'relu' | 'linear' | null;

/** Every activation; its place in this list is its code in the fused kernels. */
export const queryActivations: readonly QueryActivation[] = [null, 'linear', 'sigmoid', 'tanh', 'relu'];

/** The gate of a query and its derivative, as tfjs ops; both are 1 and 0 when there is none. */
export function gateOf(query: Tensor, activation: QueryActivation): { gate: Tensor; slope: Tensor } | null {
  switch (activation) {
    case null:
      return null;
    case 'linear':
      return { gate: query, slope: onesLike(query) };
    case 'relu':
      return { gate: relu(query), slope: step(query) };
    case 'sigmoid': {
      const gate = sigmoid(query);
      // sigmoid(-q), not 1 - sigmoid(q): the difference loses every digit once sigmoid(q) rounds to 1.
      return { gate, slope: tidy(() => mul(gate, sigmoid(neg(query)))) };
    }
    case 'tanh': {
      const gate = tanh(query);
      return { gate, slope: tidy(() => sub(1, mul(gate, gate))) };
    }
  }
}
