import {
  add,
  concat,
  exp,
  fill,
  max,
  maximum,
  mul,
  neg,
  pad,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { NONE } from '../masked-sources';
import { sumOverTime } from '../sum-over-time';
import type { GridGeometry } from './geometry';

/**
 * Rows with weights in nats: what is meant is e^log times the rows. `log` is `[batch, height, width, heads]`, `rows` is
 * `[batch, height, width, heads (1 + headDim)]`: per head a scalar, then its channels. NONE is the log of what does not exist; its row is 0.
 */
export interface Weighed {
  readonly log: Tensor;
  readonly rows: Tensor;
}

/** The rows times a factor per head. */
function scaled(rows: Tensor, factor: Tensor): Tensor {
  const heads = factor.shape.at(-1)!;
  const lanes = rows.shape.at(-1)! / heads;
  const positions = factor.size / heads;
  return reshape(mul(reshape(rows, [positions, heads, lanes]), reshape(factor, [positions, heads, 1])), rows.shape);
}

/** The sum of three logs. What the first addition loses is added last, for at 1e4 a float32 rounds by as much as moves a weight. */
function sumOfLogs(a: Tensor, b: Tensor, c: Tensor): Tensor {
  const both = add(a, b);
  const taken = sub(both, a);
  return add(add(both, c), add(sub(a, sub(both, taken)), sub(b, taken)));
}

/** Sums of parts of one shape, relative to the largest log of each place, so that no exponent is positive. */
function merged(parts: readonly Weighed[]): Weighed {
  const log = parts.map((part) => part.log).reduce((a, b) => maximum(a, b));
  return { log, rows: parts.map((part) => scaled(part.rows, exp(sub(part.log, log)))).reduce((a, b) => add(a, b)) };
}

/** `y[i] = x[i - offset]` along an axis, from `length` places; what comes from outside is `outside`. */
function shifted(x: Tensor, axis: 1 | 2, offset: number, outside: number, length = x.shape[axis]!): Tensor {
  const border: [number, number][] = x.shape.map(() => [0, 0]);
  border[axis] = [Math.max(0, offset), Math.max(0, length - offset - x.shape[axis]!)];
  const begin = x.shape.map((_, i) => (i === axis ? Math.max(0, -offset) : 0));
  const size = x.shape.map((n, i) => (i === axis ? length : n));
  return slice(pad(x as Tensor4D, border as [[number, number]], outside), begin, size);
}

const shiftedBoth = ({ log, rows }: Weighed, axis: 1 | 2, offset: number, length?: number): Weighed => ({
  log: shifted(log, axis, offset, NONE, length),
  rows: shifted(rows, axis, offset, 0, length),
});

/** Keeps what `next` returns, frees `before` and what is made on the way. */
function replaced(before: Weighed | undefined, next: () => Weighed): Weighed {
  const made = tidy(() => {
    const { log, rows } = next();
    return { log, rows };
  });
  before?.log.dispose();
  before?.rows.dispose();
  return made;
}

/** Inclusive sums along an axis, from its begin (`direction` 1) or its end (-1), by doubling distances. */
function scan(parts: Weighed, axis: 1 | 2, direction: 1 | -1): Weighed {
  let current = parts;
  for (let distance = 1; distance < parts.log.shape[axis]!; distance *= 2) {
    const before = current;
    current = replaced(before === parts ? undefined : before, () =>
      merged([before, shiftedBoth(before, axis, direction * distance)]),
    );
  }
  return current;
}

/** What stands beyond a window along an axis, on either side: the sums of the places that the window, centered at a place, does not reach. */
function beyond(parts: Weighed, axis: 1 | 2, window: number, center: number, causal: boolean): Weighed[] {
  const sides: Weighed[] = [];
  const length = parts.log.shape[axis]!;
  if (center + 1 < length) sides.push(shiftedBoth(scan(parts, axis, 1), axis, center + 1));
  if (!causal && window - center < length) sides.push(shiftedBoth(scan(parts, axis, -1), axis, center - window));
  return sides;
}

/** The sum of a grid over each of its lines, `[batch, height, 1, ...]`. */
function lineSums({ log, rows }: Weighed): Weighed {
  const largest = max(log, 2, true);
  const relative = scaled(rows, exp(sub(log, largest)));
  const [batch, height, width, lanes] = rows.shape as [number, number, number, number];
  return {
    log: largest,
    rows: reshape(sumOverTime(reshape(relative, [batch * height, width, lanes])), [batch, height, 1, lanes]),
  };
}

/** The sums over the lines of a window, for every place of the grid. */
function columnSums(parts: Weighed, { windowHeight, centerY, height }: GridGeometry): Weighed {
  const offsets = Array.from({ length: windowHeight }, (_, r) => r - centerY).filter((offset) => Math.abs(offset) < height);
  let total: Weighed | undefined;
  for (const offset of offsets) {
    const before = total;
    total = replaced(before, () => {
      const line = offset === 0 ? parts : shiftedBoth(parts, 1, -offset);
      return before === undefined ? { log: add(line.log, 0), rows: add(line.rows, 0) } : merged([before, line]);
    });
  }
  return total!;
}

/** What no tap reads, for every place: the lines above and below the window, and the rest of the lines that it crosses. */
function outside(parts: Weighed, geometry: GridGeometry): Weighed[] {
  const { height, width, windowHeight, windowWidth, centerY, centerX, causal } = geometry;
  const columns = height === 1 ? parts : columnSums(parts, geometry);
  const sides = beyond(columns, 2, windowWidth, centerX, causal);
  const lines = height === 1 ? [] : beyond(lineSums(parts), 1, windowHeight, centerY, false);
  const wide = (x: Tensor) =>
    concat(
      Array.from({ length: width }, () => x),
      2,
    );
  return [...sides, ...lines.map(({ log, rows }) => ({ log: wide(log), rows: wide(rows) }))];
}

/** A tap that reads anything: its place in the kernel, and which source it reads. */
export interface Tap {
  readonly place: number;
  readonly offsetY: number;
  readonly offsetX: number;
}

export function tapsOf({ height, width, windowHeight, windowWidth, centerY, centerX }: GridGeometry): Tap[] {
  return Array.from({ length: windowHeight * windowWidth }, (_, place) => ({
    place,
    offsetY: Math.floor(place / windowWidth) - centerY,
    offsetX: (place % windowWidth) - centerX,
  })).filter(({ offsetY, offsetX }) => Math.abs(offsetY) < height && Math.abs(offsetX) < width);
}

/** What a tap reads at every place. */
export function readBy({ offsetY, offsetX }: Tap, x: Tensor, none: number): Tensor {
  const line = offsetY === 0 ? x : shifted(x, 1, -offsetY, none);
  return offsetX === 0 ? line : shifted(line, 2, -offsetX, none);
}

/** The biases of a tap, `[heads]`. */
export function biasOf(kernel: Tensor, { place }: Tap): Tensor {
  const [heads] = kernel.shape as [number];
  return reshape(slice(reshape(kernel, [heads, kernel.size / heads]), [0, place], [heads, 1]), [heads]);
}

/**
 * For every place of a grid the sum over all places, each weighed by its own log and the bias of the tap that reads it, or no bias where none does.
 * Every term is positive and relative to the largest of its sum, so any finite logs and biases will do.
 *
 * @param preceding - What precedes the first place of a causal line, `[batch, 1, 1, ...]`; it counts from the place on at which the window has left it.
 * @returns The sums, and with `preceding` what has left the window after the last place.
 */
export function weighedSums(
  parts: Weighed,
  kernel: Tensor,
  geometry: GridGeometry,
  preceding?: Weighed,
): { sums: Weighed; after: Weighed | undefined } {
  const { width, windowWidth } = geometry;
  let after: Weighed | undefined;
  let far: Weighed[];
  if (preceding === undefined) {
    far = outside(parts, geometry);
  } else {
    const line = { log: concat([preceding.log, parts.log], 2), rows: concat([preceding.rows, parts.rows], 2) };
    const left = shiftedBoth(scan(line, 2, 1), 2, windowWidth - 1, width + 1);
    after = { log: place(left.log, width, 1), rows: place(left.rows, width, 1) };
    far = [{ log: place(left.log, 0, width), rows: place(left.rows, 0, width) }];
  }

  const taps = tapsOf(geometry);
  let log: Tensor = far.length > 0 ? far.map((part) => part.log).reduce((a, b) => maximum(a, b)) : fill(parts.log.shape, NONE);
  for (const tap of taps) {
    const before: Tensor = log;
    log = tidy(() => maximum(before, add(readBy(tap, parts.log, NONE), biasOf(kernel, tap))));
    if (!far.some((part) => part.log === before)) before.dispose();
  }
  const largest = neg(log);
  let total: Tensor | undefined;
  const include = (term: (total: Tensor | undefined) => Tensor) => {
    const sumBefore = total;
    total = tidy(() => term(sumBefore));
    sumBefore?.dispose();
  };
  const plus = (a: Tensor | undefined, b: Tensor) => (a === undefined ? b : add(a, b));
  for (const part of far) include((x) => plus(x, scaled(part.rows, exp(sub(part.log, log)))));
  for (const tap of taps) {
    include((x) => {
      const weight = exp(sumOfLogs(readBy(tap, parts.log, NONE), biasOf(kernel, tap), largest));
      return plus(x, scaled(readBy(tap, parts.rows, 0), weight));
    });
  }
  return { sums: { log, rows: total! }, after };
}

const place = (x: Tensor, begin: number, length: number): Tensor =>
  slice(x, [0, 0, begin, 0], [x.shape[0]!, x.shape[1]!, length, x.shape[3]!]);

/**
 * The gradient of the kernel, `[heads, taps]`, where sources and targets are rows whose products, weighed by both logs and the bias, are the
 * gradient of one pair's bias.
 */
export function tapGradients(sources: Weighed, targets: Weighed, kernel: Tensor, geometry: GridGeometry): Tensor {
  const { batch, height, width, heads, headDim, windowHeight, windowWidth } = geometry;
  const positions = batch * height * width;
  const byPlace = new Map(tapsOf(geometry).map((tap) => [tap.place, tap]));
  const none = fill([heads, 1], 0);
  const gradients = Array.from({ length: windowHeight * windowWidth }, (_, at) => {
    const tap = byPlace.get(at);
    if (tap === undefined) return none;
    return tidy(() => {
      const logs = sumOfLogs(readBy(tap, sources.log, NONE), biasOf(kernel, tap), targets.log);
      const products = reshape(mul(readBy(tap, sources.rows, 0), targets.rows), [positions, heads, 1 + headDim]);
      const terms = mul(reshape(exp(logs), [positions, heads]), sum(products, 2));
      return reshape(sumOverTime(reshape(terms, [1, positions, heads])), [heads, 1]);
    });
  });
  return reshape(concat(gradients, 1), kernel.shape);
}
