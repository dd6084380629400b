import {
  add,
  cast,
  concat,
  div,
  exp,
  greater,
  log,
  mul,
  neg,
  onesLike,
  slice,
  split,
  sub,
  type Tensor,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { maskSources, NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { scanSums, scanTime, shiftTime } from '../scan-time';

interface Sources {
  key: Tensor;
  value: Tensor;
  keyMask?: Tensor | undefined;
  /** `[batch, 3, dim]`: the largest key so far, numerator and denominator relative to it. */
  initialState?: Tensor | undefined;
}

const at = (x: Tensor, step: number) => slice(x, [0, step, 0], [-1, 1, -1]);
const range = (x: Tensor, begin: number, time: number) => slice(x, [0, begin, 0], [-1, time, -1]);

/** Causal AFT-simple: a scan over (largest key, numerator, denominator), each relative to its own largest key, so that no exponent is positive. */
export function composedAftSimpleCausal(
  { query, initialState, ...sources }: Sources & { query: Tensor },
  { queryActivation }: { queryActivation: QueryActivation },
): Record<string, Tensor> {
  const time = query.shape[1]!;
  const { key, value, exists } = maskSources(sources.key, sources.value, sources.keyMask);
  const one = exists === null ? onesLike(key) : mul(onesLike(key), exists);
  const before = initialState === undefined ? undefined : split(initialState, 3, 1);
  const parts = [key, value, one].map((part, i) => (before ? concat([before[i]!, part], 1) : part));

  const scanned = scanSums(parts);
  const last = scanned[0]!.shape[1]! - 1;
  const [largest, numerator, denominator] = scanned.map((part) => (before ? range(part, 1, time) : part)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const attends = greater(denominator, 0);
  const divisor = where(attends, denominator, onesLike(denominator));
  const context = div(numerator, divisor);
  const gate = gateOf(query, queryActivation)?.gate;
  return {
    output: gate === undefined ? context : mul(gate, context),
    finalState: concat(
      scanned.map((part) => at(part, last)),
      1,
    ),
    context,
    logNormalizer: add(largest, log(divisor)),
  };
}

/** The gradient of causal AFT-simple: a scan from the last target to the first, in which every factor is at most 1. */
export function composedAftSimpleCausalBackward(
  {
    query,
    initialState,
    finalState,
    context,
    logNormalizer,
    dOutput,
    dFinalState,
    ...sources
  }: Sources & {
    query: Tensor;
    finalState: Tensor;
    context: Tensor;
    logNormalizer: Tensor;
    dOutput: Tensor;
    dFinalState: Tensor;
  },
  { queryActivation }: { queryActivation: QueryActivation },
): Record<string, Tensor> {
  const time = query.shape[1]!;
  const { key, value, exists } = maskSources(sources.key, sources.value, sources.keyMask);
  const gated = gateOf(query, queryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  const [, dNumerator, dDenominator] = split(dFinalState, 3, 1) as [Tensor, Tensor, Tensor];
  // The final state stands one step after the last target; its largest key is held constant, for it cancels in every use of a state.
  const logs = concat([logNormalizer, at(finalState, 0)], 1);
  const sums = [concat([received, dNumerator], 1), concat([mul(received, context), neg(dDenominator)], 1)];

  const [dMixed, dWeighed] = scanTime(sums, (parts, distance) => {
    const factor = exp(sub(logs, shiftTime(logs, -distance, -NONE)));
    return parts.map((part) => add(part, mul(shiftTime(part, -distance, 0), factor)));
  }) as [Tensor, Tensor];

  const weight = exp(sub(key, logNormalizer));
  const counted = exists === null ? weight : mul(weight, exists);
  const [mixed, weighed] = [range(dMixed, 0, time), range(dWeighed, 0, time)];
  const gradients: Record<string, Tensor> = {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, context), gated.slope),
    dKey: mul(counted, sub(mul(value, mixed), weighed)),
    dValue: mul(counted, mixed),
  };
  if (initialState !== undefined) {
    const largest = at(initialState, 0);
    const begun = cast(greater(largest, NONE / 2), 'float32');
    const factor = mul(exp(sub(largest, at(logNormalizer, 0))), begun);
    const none = zeros(largest.shape);
    gradients.dInitialState = concat([none, mul(at(mixed, 0), factor), neg(mul(at(weighed, 0), factor))], 1);
  }
  return gradients;
}
