import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import {
  add,
  concat,
  exp,
  fill,
  greater,
  minimum,
  mul,
  neg,
  reshape,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { scanSums } from '../scan-time';
import { sumOverTime } from '../sum-over-time';
import { joinMemory, splitMemory } from '../window-memory';
import { type BiasInputs, localBias, type Part } from './composed-bias';
import {
  type AllSources,
  allSources,
  blocks,
  overSources,
  overTargets,
  type SourceInputs,
  shifted,
  steps,
  unlessNone,
} from './composed-sources';
import { geometryOf, sourcesOf, targetsOf } from './geometry';

interface Targets {
  readonly logNormalizer: Tensor;
  /** What each target receives, and that times its context. */
  readonly received: Tensor;
  readonly weighed: Tensor;
}

/** The gradient of AFT-local: what lies in the window block by block, what lies outside by two scans over the targets. */
export function composedAftLocalBackward(
  inputs: SourceInputs &
    BiasInputs & {
      query: Tensor;
      context: Tensor;
      logNormalizer: Tensor;
      dOutput: Tensor;
      finalState?: Tensor | undefined;
      dFinalState?: Tensor | undefined;
    },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf({ ...inputs }, attributes, sizes);
  const { batch, dim, past, begin, sources, time, reach } = geometry;
  const { query, context, dOutput } = inputs;
  const all = allSources(inputs, geometry);
  const gated = gateOf(query, attributes.queryActivation as QueryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  const targets = { logNormalizer: inputs.logNormalizer, received, weighed: mul(received, context) };
  const memory = { keyWidth: dim, dim, past };
  const final = inputs.finalState && {
    largest: splitMemory(inputs.finalState, memory).sums[0],
    gradient: splitMemory(inputs.dFinalState!, memory),
  };

  const later = sumsFrom(targets, final && [final.largest, final.gradient.sums[1], neg(final.gradient.sums[2])]);
  const far = shifted(later, geometry.lag - past, sources);
  let [dKey, dValue] = fromFar(all, far);
  if (!attributes.causal) {
    const earlier = scanSums([exponents(targets.logNormalizer), targets.received, targets.weighed]);
    const more = fromFar(all, shifted(earlier, -Math.max(1, geometry.lag), sources));
    [dKey, dValue] = [add(dKey, more[0]), add(dValue, more[1])];
  }

  const bias = localBias(inputs, geometry);
  const bySource: Part[] = [];
  const byTarget: Part[] = [];
  if (reach >= 0) {
    const near = blocks(geometry, begin, sources).map(([first, last]) => {
      const [from, to] = targetsOf(geometry, first, last);
      return tidy(() => pairs(all, targets, bias.rectangle(from, to, first, last), [from, to, first, last], bias.needsSources));
    });
    const before = (parts: Tensor[]) => concat(begin > 0 ? [zeros([batch, begin, dim]), ...parts] : parts, 1);
    dKey = add(dKey, before(near.map((block) => block.dKey)));
    dValue = add(dValue, before(near.map((block) => block.dValue)));
    if (bias.needsSources) bySource.push(...near.map((block) => block.part!));
    for (const [from, to] of blocks(geometry, 0, time)) {
      const [first, last] = sourcesOf(geometry, from, to);
      const at = [from, to, first, last] as const;
      byTarget.push(tidy(() => pairs(all, targets, bias.rectangle(...at), at, true)).part!);
    }
  }

  const gradients: Record<string, Tensor> = {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, context), gated.slope),
    ...(reach >= 0 ? bias.gradients(byTarget, bySource) : noBiasGradients(inputs)),
  };
  const existing = (x: Tensor) => where(greater(all.key, NONE / 2), x, zerosLike(x));
  if (final?.gradient.sources) {
    const left = sources - reach;
    const onto = (x: Tensor, dWindow: Tensor) => add(x, concat([zeros([batch, left, dim]), dWindow], 1));
    [dKey, dValue] = [onto(dKey, final.gradient.sources.keys), onto(dValue, final.gradient.sources.values)];
  }
  if (all.exists !== null || past > 0) [dKey, dValue] = [existing(dKey), existing(dValue)];
  gradients.dKey = steps(dKey, past, sources);
  gradients.dValue = steps(dValue, past, sources);
  if (all.state) {
    const largest = all.state.sums[0];
    const [level, mixed, weighed] = later.map((part) => steps(part, 0, 1)) as [Tensor, Tensor, Tensor];
    // The largest key of a state is held constant, for it cancels wherever the state is used.
    const factor = where(greater(largest, NONE / 2), exp(minimum(add(largest, level), 0)), zerosLike(largest));
    gradients.dState = joinMemory({
      sums: [zerosLike(largest), mul(factor, mixed), neg(mul(factor, weighed))],
      sources: all.state.sources && { keys: steps(dKey, 0, past), values: steps(dValue, 0, past) },
    });
  }
  return gradients;
}

function noBiasGradients({ positionBias, u, v }: BiasInputs): Record<string, Tensor> {
  return positionBias ? { dPositionBias: zerosLike(positionBias) } : u ? { dU: zerosLike(u), dV: zerosLike(v!) } : {};
}

/** -L, and NONE where a target has no source. */
const exponents = (logNormalizer: Tensor): Tensor =>
  where(greater(logNormalizer, NONE / 2), neg(logNormalizer), fill(logNormalizer.shape, NONE));

/** At place `t` the sums over the targets from `t` on, relative to the largest -L among them; the final state counts as one more target. */
function sumsFrom({ logNormalizer, received, weighed }: Targets, final: readonly Tensor[] | undefined): Tensor[] {
  const parts = [logNormalizer, received, weighed];
  const [logs, ...sums] = final ? parts.map((part, i) => concat([part, final[i]!], 1)) : parts;
  return scanSums([exponents(logs!), ...sums], 'backward');
}

/** What sources receive from targets for which their bias is 0. Since k <= L there, no exponent is positive. */
function fromFar({ key, value }: AllSources, [level, received, weighed]: Tensor[]): [dKey: Tensor, dValue: Tensor] {
  const weight = exp(minimum(add(key, level!), 0));
  return [mul(weight, sub(mul(value, received!), weighed!)), mul(weight, received!)];
}

/** The gradients of a rectangle of pairs: of its sources, if it holds all their targets, and of the bias. */
function pairs(
  { key, value }: AllSources,
  { logNormalizer, received, weighed }: Targets,
  table: Tensor2D,
  [from, to, first, last]: readonly [number, number, number, number],
  ofBias: boolean,
) {
  const [batch, , dim] = key.shape as [number, number, number];
  const [count, width] = [to - from, last - first];
  const [k, v] = [key, value].map((x) => overTargets(steps(x, first, last))) as [Tensor, Tensor];
  const [normalizer, g, gO] = [unlessNone(logNormalizer, 0), received, weighed].map((x) => overSources(steps(x, from, to))) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const weight = exp(minimum(add(sub(k, normalizer), reshape(table, [1, count, width, 1])), 0));
  const mixed = mul(weight, g);
  const slope = sub(mul(mixed, v), mul(weight, gO));
  const overTargetAxis = (x: Tensor) => reshape(sumOverTime(reshape(x, [batch, count, width * dim])), [batch, width, dim]);
  const gradient = reshape(sumOverTime(reshape(sum(slope, 3), [1, batch, count * width])), [count, width]) as Tensor2D;
  return {
    dKey: overTargetAxis(slope),
    dValue: overTargetAxis(mixed),
    part: ofBias ? { from, to, first, last, gradient } : undefined,
  };
}
