import { gate, gateSlope } from '../aft-simple/reference';
import type { QueryActivation } from '../query-activation';

/** One call of AFT-local on plain arrays, row-major `[batch, time, dim]`. */
export interface AftLocalReferenceCall {
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly query: ArrayLike<number>;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** `[time, time]`. */
  readonly positionBias: ArrayLike<number>;
  /** `[batch, time]`, nonzero = attend. */
  readonly keyMask?: ArrayLike<number> | undefined;
  readonly windowSize: number;
  readonly causal: boolean;
  readonly queryActivation: QueryActivation;
}

/**
 * AFT-local and its gradients in float64, straight from eqs. 2 and 4 of the paper: every target sums over its allowed sources, and the bias is 0
 * where it does not count. O(batch time^2 dim).
 */
export function aftLocalReference(call: AftLocalReferenceCall, dOutput?: ArrayLike<number>) {
  const { batch, time, dim, query, key, value, positionBias, keyMask, windowSize, causal, queryActivation } = call;
  const zeros = (size: number) => new Float64Array(size);
  const size = batch * time * dim;
  const [output, dQuery, dKey, dValue] = [zeros(size), zeros(size), zeros(size), zeros(size)];
  const dPositionBias = zeros(time * time);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < dim; c++) {
      const at = (t: number) => (b * time + t) * dim + c;
      for (let target = 0; target < time; target++) {
        const sources: number[] = [];
        for (let source = 0; source < (causal ? target + 1 : time); source++) {
          if (keyMask === undefined || keyMask[b * time + source] !== 0) sources.push(source);
        }
        if (sources.length === 0) continue;
        const counts = (source: number) => Math.abs(target - source) < windowSize;
        const logits = sources.map((source) => key[at(source)]! + (counts(source) ? positionBias[target * time + source]! : 0));
        const max = logits.reduce((a, x) => Math.max(a, x));
        const weights = logits.map((x) => Math.exp(x - max));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const context = sources.reduce((sum, source, n) => sum + (weights[n]! / total) * value[at(source)]!, 0);
        const q = query[at(target)]!;
        output[at(target)] = gate(q, queryActivation) * context;
        if (dOutput === undefined) continue;
        const received = dOutput[at(target)]!;
        const g = received * gate(q, queryActivation);
        dQuery[at(target)] = received * context * gateSlope(q, queryActivation);
        sources.forEach((source, n) => {
          const weight = weights[n]! / total;
          const slope = weight * g * (value[at(source)]! - context);
          dValue[at(source)]! += weight * g;
          dKey[at(source)]! += slope;
          if (counts(source)) dPositionBias[target * time + source]! += slope;
        });
      }
    }
  }
  return { output, dQuery, dKey, dValue, dPositionBias };
}
