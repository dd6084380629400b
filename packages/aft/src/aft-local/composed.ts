import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import {
  add,
  concat,
  div,
  exp,
  expandDims,
  fill,
  greater,
  log,
  max,
  maximum,
  mul,
  onesLike,
  reshape,
  sub,
  type Tensor,
  tidy,
  where,
} from '@tensorflow/tfjs-core';
import { NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { scanSums } from '../scan-time';
import { sumOverTime } from '../sum-over-time';
import { joinMemory } from '../window-memory';
import { type BiasInputs, localBias } from './composed-bias';
import {
  type AllSources,
  allSources,
  blocks,
  overTargets,
  type SourceInputs,
  shifted,
  steps,
  unlessNone,
} from './composed-sources';
import { type Geometry, geometryOf, sourcesOf } from './geometry';

/**
 * AFT-local with any bias. Sources whose bias is 0 come as sums from two scans, those before and those after; the others block by block. All terms are
 * positive and relative to the largest exponent of their target.
 */
export function composedAftLocal(
  inputs: SourceInputs & BiasInputs & { query: Tensor },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf({ ...inputs }, attributes, sizes);
  const { time, past, sources, lag, reach } = geometry;
  const all = allSources(inputs, geometry);
  const bias = localBias(inputs, geometry);
  const before = sumsBefore(all, geometry);
  const far = attributes.causal
    ? shifted(before, past - reach, time)
    : merged(shifted(before, past - reach, time), sumsAfter(all, Math.max(1, lag), time));

  const mixed = blocks(geometry, 0, time).map(([from, to]) =>
    tidy(() => {
      const outside = far.map((part) => steps(part, from, to));
      const [first, last] = sourcesOf(geometry, from, to);
      const [largest, numerator, denominator] = (
        first === last || reach < 0 ? outside : withWindow(all, bias.rectangle(from, to, first, last), outside, first, last)
      ) as [Tensor, Tensor, Tensor];
      const divisor = where(greater(denominator, 0), denominator, onesLike(denominator));
      const logs = where(greater(denominator, 0), add(largest, log(divisor)), fill(largest.shape, NONE));
      return [div(numerator, divisor), logs];
    }),
  );
  const context = concat(
    mixed.map(([part]) => part!),
    1,
  );
  const gate = gateOf(inputs.query, attributes.queryActivation as QueryActivation)?.gate;
  const outputs: Record<string, Tensor> = {
    output: gate === undefined ? context : mul(gate, context),
    context,
    logNormalizer: concat(
      mixed.map(([, part]) => part!),
      1,
    ),
  };
  if (all.state) {
    const left = sources - Math.max(0, reach);
    const sums = before.map((part) => steps(part, left, left + 1)) as [Tensor, Tensor, Tensor];
    const window = all.state.sources && { keys: steps(all.key, left, sources), values: steps(all.value, left, sources) };
    outputs.finalState = joinMemory({ sums, sources: window });
  }
  return outputs;
}

/** At place `i` the sums of the state and of the sources before `i`: `sources + 1` of them. */
function sumsBefore({ key, value, exists, state }: AllSources, { past }: Geometry): Tensor[] {
  const one = weightOfOne(key, exists, past);
  const [batch, , dim] = key.shape as [number, number, number];
  const nothing = [fill([batch, 1, dim], NONE), fill([batch, 1, dim], 0), fill([batch, 1, dim], 0)];
  const begun = state?.sums ?? nothing;
  return scanSums([key, value, one].map((part, i) => concat([begun[i]!, part], 1)));
}

/** For each of `time` targets the sums of the sources that come `lag` or more after it. */
function sumsAfter({ key, value, exists }: AllSources, lag: number, time: number): Tensor[] {
  return shifted(scanSums([key, value, weightOfOne(key, exists, 0)], 'backward'), lag, time);
}

/** 1 for every key that exists; the state says by NONE which of its own do. */
function weightOfOne(key: Tensor, exists: Tensor | null, past: number): Tensor {
  const ones = onesLike(key);
  if (exists === null && past === 0) return ones;
  return where(greater(key, NONE / 2), ones, fill(key.shape, 0));
}

function merged(a: readonly Tensor[], b: readonly Tensor[]): Tensor[] {
  const largest = maximum(a[0]!, b[0]!);
  const [keepA, keepB] = [exp(sub(a[0]!, largest)), exp(sub(b[0]!, largest))];
  return [largest, ...[1, 2].map((i) => add(mul(a[i]!, keepA), mul(b[i]!, keepB)))];
}

/**
 * The sums `outside` together with those of the sources `first` to `last` for the targets of `table`. The largest key and the largest bias in the window are
 * taken off before the two come together, so that a constant in all keys, or in all biases, costs no digit.
 */
function withWindow(
  { key, value }: AllSources,
  table: Tensor,
  outside: readonly Tensor[],
  first: number,
  last: number,
): Tensor[] {
  const [count] = table.shape as [number];
  const [batch, , dim] = key.shape as [number, number, number];
  const pairs = [1, count, last - first, 1];
  const shape = [batch, count, last - first, dim];
  // Spread by addition: `where` spreads its arguments by a copy that tfjs-wasm makes element by element.
  const spread = (x: Tensor) =>
    add(
      x,
      fill(
        shape.map((size, axis) => (x.shape[axis] === size ? 1 : size)),
        0,
      ),
    );
  const counts = greater(spread(reshape(table, pairs)), NONE / 2);
  // By selection, so that NaN does not reach a target that does not see it.
  const seen = (x: Tensor, otherwise: number) =>
    where(counts, spread(overTargets(steps(x, first, last))), fill(shape, otherwise));
  const [keys, values] = [seen(key, NONE), seen(value, 0)];
  const level = unlessNone(max(keys, 2), 0);
  const most = unlessNone(max(table, 1, true), 0);
  const mostOfTarget = reshape(most, [1, count, 1]);
  const exponent = add(sub(keys, expandDims(level, 2)), reshape(sub(table, most), pairs));
  const beyond = sub(sub(outside[0]!, level), mostOfTarget);
  const largest = unlessNone(maximum(max(exponent, 2), beyond), 0);
  const weight = exp(sub(exponent, expandDims(largest, 2)));
  const keep = exp(sub(beyond, largest));
  const sum = (x: Tensor) => reshape(sumOverTime(reshape(x, [batch * count, last - first, dim])), [batch, count, dim]);
  return [
    // The two that may cancel come first.
    add(level, add(mostOfTarget, largest)),
    add(sum(mul(weight, values)), mul(outside[1]!, keep)),
    add(sum(weight), mul(outside[2]!, keep)),
  ];
}
