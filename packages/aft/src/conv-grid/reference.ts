import { gate, gateSlope } from '../aft-simple/reference';
import type { QueryActivation } from '../query-activation';

/** One call of AFT-conv on plain arrays over a grid, row-major `[batch, height, width, dim]`; one dimension is a height of 1. */
export interface AftConvReferenceCall {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly dim: number;
  readonly heads: number;
  readonly windowHeight: number;
  readonly windowWidth: number;
  readonly query: ArrayLike<number>;
  /** `[batch, height, width, heads]` */
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** `[heads, windowHeight, windowWidth]` */
  readonly kernel: ArrayLike<number>;
  /** `[batch, height, width]`, nonzero = attend. */
  readonly keyMask?: ArrayLike<number> | undefined;
  readonly causal: boolean;
  readonly queryActivation: QueryActivation;
}

/**
 * AFT-conv and its gradients in float64, straight from the definition: every target sums over all sources it may see, each with the bias of the
 * tap that reads it, or 0. O(batch positions^2 dim).
 */
export function aftConvReference(call: AftConvReferenceCall, dOutput?: ArrayLike<number>) {
  const { batch, height, width, dim, heads, windowHeight, windowWidth, query, key, value, kernel, keyMask, causal } = call;
  const [positions, headDim, taps] = [height * width, dim / heads, windowHeight * windowWidth];
  const output = new Float64Array(batch * positions * dim);
  const dQuery = new Float64Array(output.length);
  const dValue = new Float64Array(output.length);
  const dKey = new Float64Array(batch * positions * heads);
  const dKernel = new Float64Array(heads * taps);
  const centerY = Math.floor((windowHeight - 1) / 2);
  const centerX = causal ? windowWidth - 1 : Math.floor((windowWidth - 1) / 2);

  /** The tap by which `target` reads `source`, or -1. */
  const tapOf = (target: number, source: number): number => {
    const y = Math.floor(source / width) - Math.floor(target / width) + centerY;
    const x = (source % width) - (target % width) + centerX;
    return y >= 0 && y < windowHeight && x >= 0 && x < windowWidth ? y * windowWidth + x : -1;
  };

  for (let b = 0; b < batch; b++) {
    for (let target = 0; target < positions; target++) {
      const sources: number[] = [];
      for (let source = 0; source < (causal ? target + 1 : positions); source++) {
        if (keyMask === undefined || keyMask[b * positions + source] !== 0) sources.push(source);
      }
      if (sources.length === 0) continue;
      for (let h = 0; h < heads; h++) {
        const taken = sources.map((source) => tapOf(target, source));
        const keyAt = (source: number) => (b * positions + source) * heads + h;
        const logs = sources.map((source, i) => key[keyAt(source)]! + (taken[i]! < 0 ? 0 : kernel[h * taps + taken[i]!]!));
        const largest = Math.max(...logs);
        const exps = logs.map((log) => Math.exp(log - largest));
        const total = exps.reduce((sum, x) => sum + x, 0);
        for (let c = h * headDim; c < (h + 1) * headDim; c++) {
          const at = (position: number) => (b * positions + position) * dim + c;
          const context = sources.reduce((sum, source, i) => sum + (exps[i]! / total) * value[at(source)]!, 0);
          const q = query[at(target)]!;
          output[at(target)] = gate(q, call.queryActivation) * context;
          if (dOutput === undefined) continue;
          const received = dOutput[at(target)]!;
          const g = received * gate(q, call.queryActivation);
          dQuery[at(target)] = received * context * gateSlope(q, call.queryActivation);
          sources.forEach((source, i) => {
            const weight = exps[i]! / total;
            const dLog = weight * g * (value[at(source)]! - context);
            dValue[at(source)]! += weight * g;
            dKey[keyAt(source)]! += dLog;
            if (taken[i]! >= 0) dKernel[h * taps + taken[i]!]! += dLog;
          });
        }
      }
    }
  }
  return { output, dQuery, dKey, dValue, dKernel };
}
