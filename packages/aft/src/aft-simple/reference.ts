import type { QueryActivation } from '../query-activation';

/** One call of AFT-simple on plain arrays, row-major `[batch, time, dim]`. */
export interface AftSimpleReferenceCall {
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly query: ArrayLike<number>;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** `[batch, time]`, nonzero = attend. */
  readonly keyMask?: ArrayLike<number> | undefined;
  readonly causal: boolean;
  readonly queryActivation: QueryActivation;
}

export function gate(query: number, activation: QueryActivation): number {
  switch (activation) {
    case null:
      return 1;
    case 'linear':
      return query;
    case 'sigmoid':
      return 1 / (1 + Math.exp(-query));
    case 'tanh':
      return Math.tanh(query);
    case 'relu':
      return Math.max(query, 0);
  }
}

export function gateSlope(query: number, activation: QueryActivation): number {
  switch (activation) {
    case null:
      return 0;
    case 'linear':
      return 1;
    case 'sigmoid':
      return gate(query, activation) * gate(-query, activation);
    case 'tanh':
      return 1 - Math.tanh(query) ** 2;
    case 'relu':
      return query > 0 ? 1 : 0;
  }
}

/**
 * AFT-simple and its gradients in float64, straight from eq. 5 of the paper: every target sums over its allowed sources.
 * O(batch time^2 dim).
 */
export function aftSimpleReference(
  call: AftSimpleReferenceCall,
  dOutput?: ArrayLike<number>,
): { output: Float64Array; dQuery: Float64Array; dKey: Float64Array; dValue: Float64Array } {
  const { batch, time, dim, query, key, value, keyMask, causal, queryActivation } = call;
  const size = batch * time * dim;
  const [output, dQuery, dKey, dValue] = [0, 0, 0, 0].map(() => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < dim; c++) {
      const at = (t: number) => (b * time + t) * dim + c;
      for (let target = 0; target < time; target++) {
        const sources: number[] = [];
        for (let source = 0; source < (causal ? target + 1 : time); source++) {
          if (keyMask === undefined || keyMask[b * time + source] !== 0) sources.push(at(source));
        }
        if (sources.length === 0) continue;
        const max = Math.max(...sources.map((i) => key[i]!));
        const weights = sources.map((i) => Math.exp(key[i]! - max));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const context = sources.reduce((sum, i, n) => sum + (weights[n]! / total) * value[i]!, 0);
        const q = query[at(target)]!;
        output[at(target)] = gate(q, queryActivation) * context;
        if (dOutput === undefined) continue;
        const received = dOutput[at(target)]!;
        const g = received * gate(q, queryActivation);
        dQuery[at(target)] = received * context * gateSlope(q, queryActivation);
        sources.forEach((i, n) => {
          const weight = weights[n]! / total;
          dValue[i]! += weight * g;
          dKey[i]! += weight * g * (value[i]! - context);
        });
      }
    }
  }
  return { output, dQuery, dKey, dValue };
}
