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
function weighed(
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
function partsOf(rows: Tensor, { heads, headDim }: GridGeometry): [scalars: Tensor, channels: Tensor] {
  const positions = rows.size / (heads * (1 + headDim));
  const byHead = reshape(rows, [positions, heads, 1 + headDim]);
  return [slice(byHead, [0, 0, 0], [-1, -1, 1]), slice(byHead, [0, 0, 1], [-1, -1, headDim])];
}

/** The normalised output and the log-normaliser of sums over `[1, value]`. */
export function normalised(sums: Weighed, geometry: GridGeometry): { context: Tensor; logNormalizer: Tensor } {
  const [denominator, numerator] = partsOf(sums.rows, geometry);
  const divisor = where(greater(denominator, 0), denominator, onesLike(denominator));
  return { context: div(numerator, divisor), logNormalizer: add(sums.log, reshape(log(divisor), sums.log.shape)) };
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
  };
}

/** What the targets bring to the gradient: rows of minus the sum of g times context, and g, weighed by minus the log-normaliser. */
function weighedTargets(context: Tensor, logNormalizer: Tensor, received: Tensor, geometry: GridGeometry): Weighed {
  const { heads, headDim } = geometry;
  const products = reshape(mul(received, context), [received.size / headDim, headDim]);
  const attends = greater(logNormalizer, NONE / 2);
  const logs = where(attends, neg(logNormalizer), fill(logNormalizer.shape, NONE));
  const counted = mul(
    reshape(received, [-1, heads, headDim]),
    reshape(where(attends, onesLike(logs), zerosLike(logs)), [-1, heads, 1]),
  );
  return weighed(logs, neg(sum(products, 1)), counted, geometry);
}

/** The grid read from its last place to its first: there, who reads a source is who the source reads. */
const turned = ({ log: logs, rows }: Weighed): Weighed => ({ log: reverse(logs, [1, 2]), rows: reverse(rows, [1, 2]) });

/** The gradients of AFT-conv: the sums of the forward with targets in the place of sources, and the products of both per tap. */
export function composedConvBackward(
  {
    query,
    kernel,
    context,
    logNormalizer,
    dOutput,
    ...sources
  }: Sources & { query: Tensor; kernel: Tensor; context: Tensor; logNormalizer: Tensor; dOutput: Tensor },
  queryActivation: QueryActivation,
  geometry: GridGeometry,
): Record<string, Tensor> {
  const { key, value, exists, weighed: given } = weighedSources(sources, geometry);
  const gated = gateOf(query, queryActivation);
  const received = gated === null ? dOutput : mul(dOutput, gated.gate);
  const targets = weighedTargets(context, logNormalizer, received, geometry);

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
