import {
  add,
  broadcastTo,
  div,
  exp,
  expandDims,
  log,
  max,
  maximum,
  mul,
  squeeze,
  sub,
  type Tensor,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { maskSources } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { sumOverTime } from '../sum-over-time';

interface Sources {
  key: Tensor;
  value: Tensor;
  keyMask?: Tensor | undefined;
}

/** AFT-simple over all sources. One maximum per channel serves every target, since every target has the same sources. */
export function composedAftSimple(
  { query, ...sources }: Sources & { query: Tensor },
  { queryActivation }: { queryActivation: QueryActivation },
): Record<string, Tensor> {
  const { key, value, exists } = maskSources(sources.key, sources.value, sources.keyMask);
  const largest = max(key, 1, true);
  const weight = exp(sub(key, largest));
  const counted = exists === null ? weight : mul(weight, exists);
  // The largest key has weight 1, so the sum is at least 1, or 0 if there is no source at all.
  const denominator = maximum(sumOverTime(counted), 1);
  const context = div(sumOverTime(mul(counted, value)), denominator);
  const gate = gateOf(query, queryActivation)?.gate;
  return {
    output: gate === undefined ? broadcastTo(context, query.shape) : mul(gate, context),
    context: squeeze(context, [1]),
    logNormalizer: squeeze(add(largest, log(denominator)), [1]),
  };
}

/** The gradient of AFT-simple: one sum over targets, shared by all sources. */
export function composedAftSimpleBackward(
  {
    query,
    context,
    logNormalizer,
    dOutput,
    ...sources
  }: Sources & { query: Tensor; context: Tensor; logNormalizer: Tensor; dOutput: Tensor },
  { queryActivation }: { queryActivation: QueryActivation },
): Record<string, Tensor> {
  const { key, value, exists } = maskSources(sources.key, sources.value, sources.keyMask);
  const gated = gateOf(query, queryActivation);
  const mixed = expandDims(context, 1);
  const received = sumOverTime(gated === null ? dOutput : mul(dOutput, gated.gate));
  const weight = exp(sub(key, expandDims(logNormalizer, 1)));
  const dValue = mul(exists === null ? weight : mul(weight, exists), received);
  return {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, mixed), gated.slope),
    dKey: mul(dValue, sub(value, mixed)),
    dValue,
  };
}
