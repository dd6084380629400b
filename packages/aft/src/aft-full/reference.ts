import { gate, gateSlope } from '../aft-simple/reference';
import type { QueryActivation } from '../query-activation';

/** One call of AFT-full on plain arrays, row-major: query `[batch, target, dim]`, key and value `[batch, source, dim]`. */
export interface AftFullReferenceCall {
  readonly batch: number;
  readonly target: number;
  readonly source: number;
  readonly dim: number;
  readonly query: ArrayLike<number>;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** `[target, source]`; or its factors `u` `[target, rank]` and `v` `[source, rank]`. */
  readonly positionBias?: ArrayLike<number> | undefined;
  readonly u?: ArrayLike<number> | undefined;
  readonly v?: ArrayLike<number> | undefined;
  /** `[batch, source]`, nonzero = attend. */
  readonly keyMask?: ArrayLike<number> | undefined;
  readonly causal: boolean;
  readonly queryActivation: QueryActivation;
}

/** Output and gradients; those of `u` and `v` are empty for a dense bias, that of the bias is there in both cases. */
export interface AftFullReferenceResult {
  readonly output: Float64Array;
  readonly dQuery: Float64Array;
  readonly dKey: Float64Array;
  readonly dValue: Float64Array;
  readonly dPositionBias: Float64Array;
  readonly dU: Float64Array;
  readonly dV: Float64Array;
}

/** `u v^T`. */
function product(u: ArrayLike<number>, v: ArrayLike<number>, target: number, source: number): Float64Array {
  const rank = u.length / target;
  return Float64Array.from({ length: target * source }, (_, i) => {
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += u[Math.floor(i / source) * rank + r]! * v[(i % source) * rank + r]!;
    return sum;
  });
}

/** AFT-full and its gradients in float64, straight from eq. 2 of the paper. O(batch target source dim). */
export function aftFullReference(call: AftFullReferenceCall, dOutput?: ArrayLike<number>): AftFullReferenceResult {
  const { batch, target, source, dim, query, key, value, keyMask, causal, queryActivation } = call;
  const { u = [], v = [] } = call;
  const bias = call.positionBias ?? product(u, v, target, source);
  const [output, dQuery] = [0, 0].map(() => new Float64Array(batch * target * dim)) as [Float64Array, Float64Array];
  const [dKey, dValue] = [0, 0].map(() => new Float64Array(batch * source * dim)) as [Float64Array, Float64Array];
  const dPositionBias = new Float64Array(target * source);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < target; t++) {
      const sources: number[] = [];
      for (let j = 0; j < (causal ? t + 1 : source); j++) {
        if (keyMask === undefined || keyMask[b * source + j] !== 0) sources.push(j);
      }
      if (sources.length === 0) continue;
      for (let c = 0; c < dim; c++) {
        const at = (j: number) => (b * source + j) * dim + c;
        const logits = sources.map((j) => key[at(j)]! + bias[t * source + j]!);
        const largest = logits.reduce((a, x) => Math.max(a, x), Number.NEGATIVE_INFINITY);
        const weights = logits.map((x) => Math.exp(x - largest));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const context = sources.reduce((sum, j, n) => sum + (weights[n]! / total) * value[at(j)]!, 0);
        const i = (b * target + t) * dim + c;
        output[i] = gate(query[i]!, queryActivation) * context;
        if (dOutput === undefined) continue;
        const g = dOutput[i]! * gate(query[i]!, queryActivation);
        dQuery[i] = dOutput[i]! * context * gateSlope(query[i]!, queryActivation);
        sources.forEach((j, n) => {
          const received = (weights[n]! / total) * g;
          dValue[at(j)]! += received;
          dKey[at(j)]! += received * (value[at(j)]! - context);
          dPositionBias[t * source + j]! += received * (value[at(j)]! - context);
        });
      }
    }
  }
  const transposed = (x: ArrayLike<number>, rows: number) =>
    Float64Array.from({ length: x.length }, (_, i) => x[(i % rows) * (x.length / rows) + Math.floor(i / rows)]!);
  const [dU, dV] = u.length
    ? [
        product(dPositionBias, transposed(v, source), target, v.length / source),
        product(transposed(dPositionBias, target), transposed(u, target), source, u.length / target),
      ]
    : [new Float64Array(0), new Float64Array(0)];
  return { output, dQuery, dKey, dValue, dPositionBias, dU, dV };
}
