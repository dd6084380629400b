import {
  add,
  concat,
  div,
  exp,
  fill,
  greater,
  log,
  mul,
  neg,
  onesLike,
  reshape,
  reverse,
  slice,
  sub,
  sum,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { maskSources, NONE } from '../masked-sources';
import { gateOf, type QueryActivation } from '../query-activation';
import type { GridGeometry } from './geometry';
import { tapGradients, type Weighed, weighedSums } from './weighed-sums';

/** Sources of a grid call with their places in one axis: `[batch, positions, ...]`. */
interface Sources {
  key: Tensor;
  value: Tensor;
  keyMask?: Tensor | undefined;
}

/** Rows of `[1, value]` per head, weighed by the keys. */
function weighedSources({ key, value, keyMask }: Sources, geometry: GridGeometry) {
  const { batch, height, width, heads, headDim } = geometry;
  const positions = height * width;
  const sources = maskSources(
    reshape(key, [batch, positions, heads]),
    reshape(value, [batch, positions, heads * headDim]),
    keyMask && reshape(keyMask, [batch, positions]),
  );
  const one = sources.exists === null ? onesLike(sources.key) : mul(onesLike(sources.key), sources.exists);
  return { ...sources, weighed: weighed(sources.key, one, sources.value, geometry) };
}

/** Rows of a scalar and channels per head. */
export function weighed(
  logs: Tensor,
  scalars: Tensor,
  channels: Tensor,
  { batch, height, width, heads, headDim }: GridGeometry,
): Weighed {
  const positions = batch * height * width;
  const rows = concat([reshape(scalars, [positions, heads, 1]), reshape(channels, [positions, heads, headDim])], 2);
  return {
    log: reshape(logs, [batch, height, width, heads]),
    rows: reshape(rows, [batch, height, width, heads * (1 + headDim)]),
  };
}

/** The scalar of each head, `[positions, heads, 1]`, and its channels, `[positions, heads, headDim]`. */
export function partsOf(rows: Tensor, { heads, headDim }: GridGeometry): [scalars: Tensor, channels: Tensor] {
  const positions = rows.size / (heads * (1 + headDim));
  const byHead = reshape(rows, [positions, heads, 1 + headDim]);
  return [slice(byHead, [0, 0, 0], [-1, -1, 1]), slice(byHead, [0, 0, 1], [-1, -1, headDim])];
}

/** The normalised output of sums over `[1, value]`, the log-normaliser, and what rounding takes from it. */
export function normalised(sums: Weighed, geometry: GridGeometry) {
  const [denominator, numerator] = partsOf(sums.rows, geometry);
  const divisor = where(greater(denominator, 0), denominator, onesLike(denominator));
  const relative = reshape(log(divisor), sums.log.shape);
  const logNormalizer = add(sums.log, relative);
  const taken = sub(logNormalizer, sums.log);
  const logRest = add(sub(sums.log, sub(logNormalizer, taken)), sub(relative, taken));
  return { context: div(numerator, divisor), logNormalizer, logRest };
}

/** AFT-conv on a grid, with all that its gradient needs. Saved shapes are those of the key and the query. */
export function composedConv(
  { query, kernel, ...sources }: Sources & { query: Tensor; kernel: Tensor },
  queryActivation: QueryActivation,
  geometry: GridGeometry,
): Record<string, Tensor> {
  const { sums } = weighedSums(weighedSources(sources, geometry).weighed, kernel, geometry);
  const mixed = normalised(sums, geometry);
  const context = reshape(mixed.context, query.shape);
  const gate = gateOf(query, queryActivation)?.gate;
  return {
    output: gate === undefined ? context : mul(gate, context),
    context,
    logNormalizer: reshape(mixed.logNormalizer, sources.key.shape),
    logRest: reshape(mixed.logRest, sources.key.shape),
  };
}

/** What the targets bring to the gradient: rows of minus the sum of g times context, and g, weighed by minus the log-normaliser. */
export function weighedTargets(
  { context, logNormalizer, logRest }: { context: Tensor; logNormalizer: Tensor; logRest: Tensor },
  received: Tensor,
  geometry: GridGeometry,
): Weighed {
  const { heads, headDim } = geometry;
  const attends = greater(logNormalizer, NONE / 2);
  const logs = where(attends, neg(logNormalizer), fill(logNormalizer.shape, NONE));
  const counts = reshape(where(attends, exp(neg(logRest)), zerosLike(logs)), [-1, heads, 1]);
  const counted = mul(reshape(received, [-1, heads, headDim]), counts);
  const products = mul(counted, reshape(context, counted.shape));
  return weighed(logs, neg(sum(products, 2)), counted, geometry);
}

/** The grid read from its last place to its first: there, who reads a source is who the source reads. */
export const turned = ({ log: logs, rows }: Weighed): Weighed => ({ log: reverse(logs, [1, 2]), rows: reverse(rows, [1, 2]) });

/** The gradients of AFT-conv: the sums of the forward with targets in the place of sources, and the products of both per tap. */
export function composedConvBackward(
  {
    query,
    kernel,
    context,
    logNormalizer,
    logRest,
    dOutput,
    ...sources
  }: Sources & Record<'query' | 'kernel' | 'context' | 'logNormalizer' | 'logRest' | 'dOutput', Tensor>,
  queryActivation: QueryActivation,
  geometry: GridGeometry,
): Record<string, Tensor> {
  const { key, value, exists, weighed: given } = weighedSources(sources, geometry);
  const gated = gateOf(query, queryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  const targets = weighedTargets({ context, logNormalizer, logRest }, received, geometry);

  const sums = turned(weighedSums(turned(targets), kernel, geometry).sums);
  const [scalars, channels] = partsOf(sums.rows, geometry);
  const weight = exp(add(key, reshape(sums.log, key.shape)));
  const counted = reshape(exists === null ? weight : mul(weight, exists), scalars.shape);
  const products = mul(reshape(value, channels.shape), channels);
  return {
    dQuery: gated === null ? zerosLike(query) : mul(mul(dOutput, context), gated.slope),
    dKey: reshape(mul(counted, add(sum(products, 2, true), scalars)), sources.key.shape),
    dValue: reshape(mul(counted, channels), sources.value.shape),
    dKernel: tapGradients(given, targets, kernel, geometry),
  };
}
