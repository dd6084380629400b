import {
  add,
  broadcastTo,
  cast,
  concat,
  div,
  exp,
  expandDims,
  fill,
  floor,
  greater,
  lessEqual,
  log,
  max,
  mul,
  range,
  reshape,
  slice,
  squeeze,
  sub,
  sum,
  type Tensor,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { maskSources, NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import { sumOverTime } from '../sum-over-time';
import { type BiasRows, denseRows, factoredRows } from './bias-rows';

interface Inputs {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  keyMask?: Tensor | undefined;
}

type Options = { causal: boolean; queryActivation: QueryActivation };

/** Elements of a tensor over targets, sources and channels: blocks of targets are as large as that allows. */
const BLOCK_ELEMENTS = 2 ** 20;

/** What the blocks of a call share. */
interface Mixing {
  readonly bias: BiasRows;
  readonly key: Tensor;
  readonly value: Tensor;
  readonly causal: boolean;
}

/** The weights of a block of targets, before they are normalised. */
interface BlockWeights {
  /** `[batch, block, source, dim]`, at most e; 0 for a source that does not exist. */
  readonly weight: Tensor;
  /** `[batch, 1 | block, source, dim]`. */
  readonly value: Tensor;
  /** `[batch, block, 1, dim]`, within 1 of the largest exponent. */
  readonly largest: Tensor;
  /** `[batch, block, 1, dim]`, never 0. */
  readonly denominator: Tensor;
  /** `[batch, block, 1, dim]`, 1 where there is a source. */
  readonly attends: Tensor;
}

/** `x` as an integer and a rest of at most a half. */
function wholeAndRest(x: Tensor): [whole: Tensor, rest: Tensor] {
  const whole = floor(add(x, 0.5));
  return [whole, sub(x, whole)];
}

const overSources = (x: Tensor): Tensor => {
  const [batch, block, source, dim] = x.shape as [number, number, number, number];
  return reshape(sumOverTime(reshape(x, [batch * block, source, dim])), [batch, block, 1, dim]);
};

/**
 * The weights of the targets from `begin` on. Exponents are added as integers, which is exact, and their rests apart: keys and biases of thousands
 * that all but cancel lose nothing.
 */
function weightsOf({ bias, key, value, causal }: Mixing, begin: number, count: number): BlockWeights {
  const [batch, source, dim] = key.shape as [number, number, number];
  const seen = causal ? begin + count : source;
  const part = (x: Tensor) => expandDims(slice(x, [0, 0, 0], [batch, seen, dim]), 1);
  let [keyWhole, keyRest] = wholeAndRest(part(key)) as [Tensor, Tensor];
  let values = part(value);
  let [biasWhole, biasRest] = wholeAndRest(expandDims(bias.rows(begin, count, seen), 2)) as [Tensor, Tensor];
  if (causal) {
    // By selection, so that a NaN to come reaches no target before it.
    const allowed = lessEqual(reshape(range(0, seen), [1, seen, 1]), reshape(range(begin, begin + count), [count, 1, 1]));
    const shape = [batch, count, seen, dim];
    const everywhere = broadcastTo(allowed, shape);
    const select = (x: Tensor, other: number) => where(everywhere, broadcastTo(x, shape), fill(shape, other));
    [keyWhole, keyRest, values] = [select(keyWhole, NONE), select(keyRest, 0), select(values, 0)];
    [biasWhole, biasRest] = [biasWhole, biasRest].map((x) => where(allowed, x, zerosLike(x))) as [Tensor, Tensor];
  }
  const whole = add(keyWhole, biasWhole);
  const largest = max(whole, 2, true);
  const attends = cast(greater(largest, NONE / 2), 'float32');
  const weight = mul(exp(add(sub(whole, largest), add(keyRest, biasRest))), attends);
  const denominator = add(overSources(weight), sub(1, attends));
  return { weight, value: values, largest, denominator, attends };
}

/** Calls `work` on blocks of targets and frees what each call leaves, but for `sums`. */
function forBlocks(
  mixing: Mixing,
  target: number,
  sums: Tensor[],
  work: (sums: Tensor[], begin: number, count: number) => Tensor[],
) {
  const [batch, source, dim] = mixing.key.shape as [number, number, number];
  const block = Math.max(1, Math.floor(BLOCK_ELEMENTS / (batch * source * dim)));
  let current = sums;
  for (let begin = 0; begin < target; begin += block) {
    const next = tidy(() => work(current, begin, Math.min(block, target - begin)));
    for (const sum of current) if (!next.includes(sum)) sum.dispose();
    current = next;
  }
  return current;
}

const append = (whole: Tensor | undefined, part: Tensor): Tensor => (whole === undefined ? part : concat([whole, part], 1));

/** AFT-full by blocks of targets, every exponent by itself. O(batch block source dim) memory. */
function forward({ query, ...sources }: Inputs, { causal, queryActivation }: Options, bias: BiasRows): Record<string, Tensor> {
  const { key, value } = maskSources(sources.key, sources.value, sources.keyMask);
  const mixing = { bias, key, value, causal };
  const largestKey = expandDims(max(key, 1, true), 1);
  const [context, logNormalizer] = forBlocks(mixing, query.shape[1]!, [], (sums, begin, count) => {
    const { weight, value: values, largest, denominator, attends } = weightsOf(mixing, begin, count);
    const mixed = div(overSources(mul(weight, values)), denominator);
    const relative = add(sub(largest, largestKey), log(denominator));
    const logs = where(greater(attends, 0), relative, fill(relative.shape, NONE));
    return [append(sums[0], squeeze(mixed, [2])), append(sums[1], squeeze(logs, [2]))];
  }) as [Tensor, Tensor];
  const gate = gateOf(query, queryActivation)?.gate;
  return { output: gate === undefined ? context : mul(gate, context), context, logNormalizer };
}

/** The gradient, by blocks of targets too; weights are made again, so no normalizer's rounding enters. */
function backward(
  { query, context, dOutput, ...sources }: Inputs & { context: Tensor; dOutput: Tensor },
  { causal, queryActivation }: Options,
  bias: BiasRows,
): Record<string, Tensor> {
  const { key, value } = maskSources(sources.key, sources.value, sources.keyMask);
  const [batch, source, dim] = key.shape as [number, number, number];
  const mixing = { bias, key, value, causal };
  const gated = gateOf(query, queryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  const start = [zeros(key.shape), zeros(key.shape), ...bias.begin()];
  const [dKey, dValue, ...dBias] = forBlocks(mixing, query.shape[1]!, start, ([keys, values, ...rows], begin, count) => {
    const { weight, value: mixedValues, denominator } = weightsOf(mixing, begin, count);
    const block = (x: Tensor) => expandDims(slice(x, [0, begin, 0], [-1, count, -1]), 2);
    const seen = weight.shape[2]!;
    const addSources = (total: Tensor, part: Tensor) => {
      const summed = sum(part, 1);
      return add(total, seen === source ? summed : concat([summed, zeros([batch, source - seen, dim])], 1));
    };
    const toValue = mul(weight, div(block(received), denominator));
    const toLogit = mul(toValue, sub(mixedValues, block(context)));
    const dRows = sum(sum(toLogit, 3), 0);
    return [addSources(keys!, toLogit), addSources(values!, toValue), ...bias.addGradient(rows, begin, dRows)];
  });
  return {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, context), gated.slope),
    dKey: dKey!,
    dValue: dValue!,
    ...bias.gradients(dBias),
  };
}

type Dense = { positionBias: Tensor };
type Factored = { u: Tensor; v: Tensor };
type Received = { context: Tensor; dOutput: Tensor };

export const composedAftFull = ({ positionBias, ...inputs }: Inputs & Dense, options: Options) =>
  forward(inputs, options, denseRows(positionBias));

export const composedAftFullBackward = ({ positionBias, ...inputs }: Inputs & Dense & Received, options: Options) =>
  backward(inputs, options, denseRows(positionBias));

export const composedAftFullFactored = ({ u, v, ...inputs }: Inputs & Factored, options: Options) =>
  forward(inputs, options, factoredRows(u, v));

export const composedAftFullFactoredBackward = ({ u, v, ...inputs }: Inputs & Factored & Received, options: Options) =>
  backward(inputs, options, factoredRows(u, v));
