import { matMul, sumOfPairs, whereAttended } from '@mixfold/tensor-ops';
import {
  add,
  cast,
  concat,
  div,
  equal,
  exp,
  fill,
  greater,
  max,
  maximum,
  mul,
  notEqual,
  onesLike,
  pad,
  sub,
  type Tensor,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type Block, blocksOf, FLOOR, type Mixing, NONE, productBySpans, rowsOf, scoresOf, withoutLost } from './composed-blocks';

/** `[batch heads, target, headDim]`, and per target what its scores are measured by. */
export interface Mixed {
  readonly mixed: Tensor;
  readonly largest: Tensor;
  readonly denominator: Tensor;
}

/** `total`, or 1 where it is 0. */
const orOne = (total: Tensor): Tensor => add(total, cast(equal(total, 0), 'float32'));

/** `x` where it is above 0; NaN stays. */
const positive = (x: Tensor): Tensor => where(greater(x, 0), x, mul(x, 0));

/** Weights of a block before they are divided by `denominator`, which is a row's own. */
function relativeWeights(mixing: Mixing, block: Block): { weights: Tensor; largest: Tensor; denominator: Tensor } {
  const { scores, attended } = scoresOf(mixing, block);
  if (mixing.phi === 'relu') {
    const weights = whereAttended(attended, positive(scores), 0);
    const denominator = sumOfPairs(whereAttended(attended, onesLike(scores), 0));
    return { weights, largest: zerosLike(denominator), denominator };
  }
  const seen = whereAttended(attended, scores, NONE);
  const largest = maximum(max(seen, -1, true), FLOOR);
  const exponentials = exp(sub(seen, largest));
  const denominator = sumOfPairs(exponentials);
  if (mixing.phi === 'softmax') return { weights: exponentials, largest, denominator };
  return { weights: passing(exponentials, denominator, mixing.tau), largest, denominator };
}

/** `denominator tau` where softmax exceeds tau, else 0; NaN stays. */
function passing(exponentials: Tensor, denominator: Tensor, tau: number): Tensor {
  const shares = div(exponentials, orOne(denominator));
  const weight = add(mul(denominator, tau), zerosLike(shares));
  return where(greater(shares, tau), weight, mul(exponentials, 0));
}

/** What the heads make of their tokens, by blocks of targets. O(block heads source) memory. */
export function mix(mixing: Mixing): Mixed {
  const parts = blocksOf(mixing).map((block) =>
    tidy(() => {
      const { weights, largest, denominator } = relativeWeights(mixing, block);
      const mixed = div(productBySpans(weights, rowsOf(mixing.value, 0, block.seen)), orOne(denominator));
      return [mixed, largest, denominator];
    }),
  );
  const [mixed, largest, denominator] = [0, 1, 2].map((i) => {
    const whole =
      parts.length === 1
        ? parts[0]![i]!
        : concat(
            parts.map((part) => part[i]!),
            1,
          );
    for (const part of parts) if (part[i] !== whole) part[i]!.dispose();
    return whole;
  }) as [Tensor, Tensor, Tensor];
  return { mixed, largest, denominator };
}

/** The weights themselves, `[batch heads, target, source]`. */
export function weightsOf(mixing: Mixing): Tensor {
  const parts = blocksOf(mixing).map((block) =>
    tidy(() => {
      const { weights, denominator } = relativeWeights(mixing, block);
      return pad(div(weights, orOne(denominator)), [
        [0, 0],
        [0, 0],
        [0, mixing.source - block.seen],
      ]);
    }),
  );
  return parts.length === 1 ? parts[0]! : concat(parts, 1);
}

/** What queries and keys (`dMatch`) and values receive, by blocks of targets too; weights are made again. */
export function mixBackward(
  mixing: Mixing,
  { largest, denominator }: Omit<Mixed, 'mixed'>,
  dMixed: Tensor,
): { dMatch: Tensor; dValue: Tensor } {
  const { match, value, source, past } = mixing;
  let sums: [Tensor, Tensor] = [zeros(match.shape), zeros(value.shape)];
  const toSource = (x: Tensor, begin: number) =>
    pad(x, [
      [0, 0],
      [begin, source - begin - x.shape[1]!],
      [0, 0],
    ]);
  for (const block of blocksOf(mixing)) {
    const before = sums;
    sums = tidy(() => {
      const { begin, count, seen } = block;
      const own = (x: Tensor) => rowsOf(x, begin - past, count);
      const change = differentiateBlock(mixing, block, own(largest), own(denominator), own(dMixed));
      const dValue = add(before[1], toSource(productBySpans(change.weights, change.received, true), 0));
      if (change.dScores === undefined) return [before[0].clone(), dValue];
      const ofTargets = toSource(productBySpans(change.dScores, rowsOf(match, 0, seen)), begin);
      const ofSources = toSource(productBySpans(change.dScores, rowsOf(match, begin, count), true), 0);
      return [add(before[0], mul(add(ofTargets, ofSources), mixing.scale)), dValue];
    }) as [Tensor, Tensor];
    for (const done of before) done.dispose();
  }
  return { dMatch: sums[0], dValue: sums[1] };
}

interface BlockChange {
  /** What values are weighed by, and the gradient that is weighed. */
  readonly weights: Tensor;
  readonly received: Tensor;
  /** Undefined where scores receive nothing. */
  readonly dScores: Tensor | undefined;
}

function differentiateBlock(mixing: Mixing, block: Block, largest: Tensor, denominator: Tensor, dMixed: Tensor): BlockChange {
  const { phi, tau, straightThrough } = mixing;
  const { scores, attended } = scoresOf(mixing, block);
  const total = orOne(denominator);
  // `slopes` is what a gradient of weights is multiplied by on its way to the scores.
  let [weights, slopes]: [Tensor, Tensor] = [scores, scores];
  if (phi === 'relu') {
    weights = div(whereAttended(attended, positive(scores), 0), total);
    slopes = div(where(greater(weights, 0), onesLike(weights), mul(weights, 0)), total);
  } else {
    const exponentials = exp(sub(whereAttended(attended, scores, NONE), largest));
    slopes = whereAttended(attended, div(exponentials, total), 0);
    weights = phi === 'threshold' ? div(passing(exponentials, denominator, tau), total) : slopes;
  }
  const { clean, lost } = mixing.lost ? withoutLost(dMixed) : { clean: dMixed, lost: undefined };
  if (lost) weights = where(notEqual(weights, 0), add(weights, lost), zerosLike(weights));
  if (phi === 'threshold' && !straightThrough) return { weights, received: clean, dScores: undefined };
  const products = matMul(clean, rowsOf(mixing.value, 0, block.seen), { transposeB: true });
  const dWeights = lost ? add(products, lost) : products;
  // What a slope of 0 stands before may be NaN.
  const alive = notEqual(slopes, 0);
  const none = fill(slopes.shape, 0);
  const changes = where(alive, mul(slopes, dWeights), none);
  const dScores = phi === 'relu' ? changes : where(alive, sub(changes, mul(slopes, sumOfPairs(changes))), none);
  return { weights, received: clean, dScores };
}
