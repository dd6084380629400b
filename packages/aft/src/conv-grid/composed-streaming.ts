import {
  add,
  cast,
  concat,
  exp,
  fill,
  greater,
  mul,
  neg,
  reshape,
  slice,
  sum,
  type Tensor,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { maskSources, NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { joinMemory, splitMemory } from '../window-memory';
import { normalised, partsOf, turned, weighed, weighedTargets } from './composed';
import type { GridGeometry } from './geometry';
import { tapGradients, type Weighed, weighedSums } from './weighed-sums';

interface Sources {
  key: Tensor;
  value: Tensor;
  keyMask?: Tensor | undefined;
  memory: Tensor;
}

/** Steps of `[batch, steps, width]`. */
const steps = (x: Tensor, begin: number, count: number): Tensor => slice(x, [0, begin, 0], [-1, count, -1]);

/** Two stretches of steps as one; a stretch of none may be absent. */
const joined = (before: Tensor | undefined, after: Tensor): Tensor => (before === undefined ? after : concat([before, after], 1));

const shapeOf = ({ heads, headDim, windowWidth }: GridGeometry) => ({
  keyWidth: heads,
  dim: heads * headDim,
  past: windowWidth - 1,
});

/** The sources of the window and of the call as one line, and what the window has left before. */
function lineOf({ key, value, keyMask, memory }: Sources, geometry: GridGeometry) {
  const { sums, sources } = splitMemory(memory, shapeOf(geometry));
  const given = maskSources(key, value, keyMask);
  const [keys, values] = [joined(sources?.keys, given.key), joined(sources?.values, given.value)];
  const exists = cast(greater(keys, NONE / 2), 'float32');
  const line = { ...geometry, width: keys.shape[1]! };
  return { keys, values, exists, line, parts: weighed(keys, exists, values, line), preceding: precedingOf(sums, geometry) };
}

/** Sums that precede a line, as rows of one step. */
function precedingOf([largest, numerator, denominator]: readonly [Tensor, Tensor, Tensor], geometry: GridGeometry): Weighed {
  return weighed(largest, denominator, numerator, { ...geometry, width: 1 });
}

/** Causal AFT-conv that continues what a memory holds. */
export function composedStreaming(
  { query, kernel, ...sources }: Sources & { query: Tensor; kernel: Tensor },
  queryActivation: QueryActivation,
  geometry: GridGeometry,
): Record<string, Tensor> {
  const { batch, heads, width: time, windowWidth } = geometry;
  const past = windowWidth - 1;
  const { keys, values, line, parts, preceding } = lineOf(sources, geometry);
  const { sums, after } = weighedSums(parts, kernel, line, preceding);
  const targets = (x: Tensor) => steps(reshape(x, [batch, past + time, x.shape.at(-1)!]), past, time);
  const mixed = normalised({ log: targets(sums.log), rows: targets(sums.rows) }, geometry);
  const context = reshape(mixed.context, query.shape);
  const gate = gateOf(query, queryActivation)?.gate;
  const [denominator, numerator] = partsOf(after!.rows, geometry);
  const left = [after!.log, numerator, denominator].map((x) => reshape(x, [batch, 1, x.size / batch])) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const begun = greater(left[2], 0);
  return {
    output: gate === undefined ? context : mul(gate, context),
    context,
    logNormalizer: reshape(mixed.logNormalizer, [batch, time, heads]),
    logRest: reshape(mixed.logRest, [batch, time, heads]),
    finalMemory: joinMemory({
      sums: [where(begun, left[0], fill(left[0].shape, NONE)), left[1], left[2]],
      sources: past === 0 ? undefined : { keys: steps(keys, time, past), values: steps(values, time, past) },
    }),
  };
}

/** The gradients, that of the memory among them. Its largest keys are held constant, for they cancel wherever a memory is used. */
export function composedStreamingBackward(
  {
    query,
    kernel,
    context,
    logNormalizer,
    logRest,
    finalMemory,
    dOutput,
    dFinalMemory,
    ...sources
  }: Sources &
    Record<'query' | 'kernel' | 'context' | 'logNormalizer' | 'logRest' | 'finalMemory' | 'dOutput' | 'dFinalMemory', Tensor>,
  queryActivation: QueryActivation,
  geometry: GridGeometry,
): Record<string, Tensor> {
  const { batch, heads, headDim, width: time, windowWidth } = geometry;
  const past = windowWidth - 1;
  const { keys, values, exists, line, parts } = lineOf(sources, geometry);
  const gated = gateOf(query, queryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  // The sources of the window are no targets.
  const given = weighedTargets({ context, logNormalizer, logRest }, received, geometry);
  const targets =
    past === 0
      ? given
      : {
          log: concat([fill([batch, 1, past, heads], NONE), given.log], 2),
          rows: concat([zeros([batch, 1, past, heads * (1 + headDim)]), given.rows], 2),
        };
  const final = splitMemory(finalMemory, shapeOf(geometry)).sums;
  const kept = splitMemory(dFinalMemory, shapeOf(geometry));
  const opposite = where(greater(final[0], NONE / 2), neg(final[0]), fill(final[0].shape, NONE));
  const later = precedingOf([opposite, kept.sums[1], kept.sums[2]], geometry);

  const { sums: reversed, after } = weighedSums(turned(targets), kernel, line, later);
  const sums = turned(reversed);
  const [scalars, channels] = partsOf(sums.rows, line);
  const weight = mul(exp(add(keys, reshape(sums.log, keys.shape))), exists);
  const counted = reshape(weight, scalars.shape);
  const products = mul(reshape(values, channels.shape), channels);
  const dKeys = reshape(mul(counted, add(sum(products, 2, true), scalars)), keys.shape);
  const dValues = reshape(mul(counted, channels), values.shape);
  const withKept = (gradient: Tensor, end: Tensor | undefined): Tensor => {
    if (end === undefined) return gradient;
    const width = gradient.shape[2]!;
    const owned = width === heads ? exists : byChannel(exists, headDim);
    return add(gradient, mul(concat([zeros([batch, time, width]), end], 1), owned));
  };
  const allKeys = withKept(dKeys, kept.sources?.keys);
  const allValues = withKept(dValues, kept.sources?.values);

  const initial = splitMemory(sources.memory, shapeOf(geometry)).sums;
  const begun = cast(greater(initial[0], NONE / 2), 'float32');
  const factor = mul(exp(add(initial[0], reshape(after!.log, initial[0].shape))), begun);
  const [dDenominator, dNumerator] = partsOf(after!.rows, geometry);
  const scale = reshape(factor, dDenominator.shape);
  return {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, context), gated.slope),
    dKey: steps(allKeys, past, time),
    dValue: steps(allValues, past, time),
    dKernel: tapGradients(parts, targets, kernel, line),
    dMemory: joinMemory({
      sums: [
        zerosLike(initial[0]),
        reshape(mul(dNumerator, scale), initial[1].shape),
        reshape(mul(dDenominator, scale), initial[2].shape),
      ],
      sources: past === 0 ? undefined : { keys: steps(allKeys, 0, past), values: steps(allValues, 0, past) },
    }),
  };
}

/** What is there per head, per channel. */
function byChannel(x: Tensor, headDim: number): Tensor {
  const [batch, time, heads] = x.shape as [number, number, number];
  const wide = mul(reshape(x, [batch * time, heads, 1]), fill([1, 1, headDim], 1));
  return reshape(wide, [batch, time, heads * headDim]);
}
