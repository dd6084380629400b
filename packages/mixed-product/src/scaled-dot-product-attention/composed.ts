import { dropoutPlan, randomBits } from '@mixfold/tensor-ops';
import {
  abs,
  add,
  cast,
  concat,
  div,
  equal,
  exp,
  fill,
  greater,
  lessEqual,
  logicalAnd,
  matMul,
  max,
  maximum,
  mul,
  notEqual,
  pad,
  range,
  reshape,
  slice,
  squeeze,
  sub,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tensor,
  tidy,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type AttentionAttributes, pairShape } from './pair-shape';

interface Inputs {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  mask?: Tensor | undefined;
  bias?: Tensor | undefined;
}

/** The score of a pair that is not attended, and the least that the largest score of a target may be: `e^(NONE - FLOOR)` is 0. */
const [NONE, FLOOR] = [-1e30, -5e29];

/** Scores of all heads that are held at a time: blocks of targets are as large as that allows. */
const BLOCK_ELEMENTS = 2 ** 20;

/** Elements that are added one after the other; float32 sums of more lose digits. */
const SPAN = 256;

/** What a call's blocks share. */
interface Attending extends Inputs, AttentionAttributes {
  readonly batch: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly target: number;
  readonly source: number;
}

function attendingOf(inputs: Inputs, options: AttentionAttributes): Attending {
  const [batch, heads, target] = inputs.query.shape as [number, number, number];
  const [, keyHeads, source] = inputs.key.shape as [number, number, number];
  return { ...inputs, ...options, batch, heads, keyHeads, target, source };
}

/** A stretch of targets, and how many sources they see together. */
interface Block {
  readonly begin: number;
  readonly count: number;
  readonly seen: number;
}

/** Calls `work` on blocks of targets and frees what each call leaves, but for `sums`. */
function forBlocks(attending: Attending, sums: Tensor[], work: (sums: Tensor[], block: Block) => Tensor[]): Tensor[] {
  const { batch, heads, target, source, causal } = attending;
  const length = Math.max(1, Math.floor(BLOCK_ELEMENTS / (batch * heads * source)));
  let current = sums;
  for (let begin = 0; begin < target; begin += length) {
    const count = Math.min(length, target - begin);
    const last = begin + count + source - target;
    // At least one, for a tensor without elements is no operand; it is hidden then.
    const seen = causal ? Math.max(1, Math.min(source, last)) : source;
    const next = tidy(() => work(current, { begin, count, seen }));
    for (const done of current) if (!next.includes(done)) done.dispose();
    current = next;
  }
  return current;
}

/** The targets of a block, by key heads: `[batch keyHeads, heads / keyHeads count, dim]`. */
function targetRows(x: Tensor, { batch, keyHeads }: Attending, { begin, count }: Block): Tensor3D {
  const part = slice(x, [0, 0, begin, 0], [-1, -1, count, -1]);
  return reshape(part, [batch * keyHeads, -1, x.shape[3]!]) as Tensor3D;
}

/** The sources a block sees: `[batch keyHeads, seen, dim]`. */
function sourceRows(x: Tensor, { seen }: Block): Tensor3D {
  const [batch, heads, , dim] = x.shape as [number, number, number, number];
  return reshape(slice(x, [0, 0, 0, 0], [-1, -1, seen, -1]), [batch * heads, seen, dim]);
}

/** The part of a mask or bias that belongs to a block; axes of 1 stay. */
function pairRows(x: Tensor, { begin, count, seen }: Block): Tensor {
  const shape = pairShape(x.shape) as [number, number, number, number];
  const isShared = shape[2] === 1;
  return slice(reshape(x, shape), [0, 0, isShared ? 0 : begin, 0], [-1, -1, isShared ? 1 : count, seen]);
}

/** Scores of a block, `[batch, heads, count, seen]`, and which of its pairs are attended, by axes of their size or 1; undefined if all are. */
function scoresOf(attending: Attending, block: Block): { scores: Tensor; attended: Tensor | undefined } {
  const { query, key, mask, bias, causal, scale, batch, heads, target, source } = attending;
  const { begin, count, seen } = block;
  const products = matMul(mul(targetRows(query, attending, block), scale), sourceRows(key, block), false, true);
  let scores = reshape(products, [batch, heads, count, seen]) as Tensor;
  if (bias) scores = add(scores, pairRows(bias, block));
  let attended: Tensor | undefined = mask && notEqual(pairRows(mask, block), 0);
  if (causal) {
    const first = begin + source - target;
    const last = reshape(range(first, first + count), [1, 1, count, 1]);
    const earlier = lessEqual(reshape(range(0, seen), [1, 1, 1, seen]), last);
    attended = attended ? logicalAnd(attended, earlier) : earlier;
  }
  return { scores, attended };
}

/** `x` where pairs are attended, else `other`: by selection, so that a NaN that is hidden stays so. */
const select = (attended: Tensor | undefined, x: Tensor, other: number): Tensor =>
  attended === undefined ? x : where(attended, x, fill(x.shape, other));

/** The sum over the last axis, kept as 1, by spans. */
function sumOfRows(x: Tensor): Tensor {
  const length = x.shape.at(-1)!;
  if (length <= SPAN) return sum(x, -1, true);
  const spans = Math.ceil(length / SPAN);
  const rows = reshape(x, [-1, length]);
  const padded = pad(rows as Tensor2D, [
    [0, 0],
    [0, spans * SPAN - length],
  ]);
  return reshape(sum(sum(reshape(padded, [-1, spans, SPAN]), 2), 1), [...x.shape.slice(0, -1), 1]);
}

/** What each weight of a block is multiplied by, made here as `dropout` does; undefined where nothing is dropped. */
function keptOf({ batch, heads, target, source, rate, seed }: Attending, { begin, count, seen }: Block): Tensor | undefined {
  if (rate === 0) return undefined;
  const { first, second, threshold, scale } = dropoutPlan({ rate, seed });
  const kept = new Float32Array(batch * heads * count * seen);
  for (let row = 0, i = 0; row < batch * heads; row++) {
    for (let t = begin; t < begin + count; t++) {
      const place = (row * target + t) * source;
      for (let s = 0; s < seen; s++) kept[i++] = randomBits(place + s, first, second) >= threshold ? scale : 0;
    }
  }
  return tensor(kept, [batch, heads, count, seen]);
}

/** `[batch, heads, rows, columns]` by key heads. */
const byKeyHeads = (x: Tensor, { batch, keyHeads }: Attending) =>
  reshape(x, [batch * keyHeads, -1, x.shape[3]!]) as Tensor3D;

/**
 * The product of weights by key heads with rows of `x`. Where pairs may be hidden, a weight of 0 before a row that is not finite adds nothing, and any
 * other makes the result NaN.
 */
function weighed(weights: Tensor3D, x: Tensor3D, { mask, bias, causal }: Attending, transposed = false): Tensor3D {
  if (!mask && !bias && !causal) return matMul(weights, x, transposed, false);
  const isFinite = lessEqual(abs(x), 3.4028234e38);
  const product = matMul(weights, where(isFinite, x, zerosLike(x)), transposed, false);
  const lost = matMul(cast(notEqual(weights, 0), 'float32'), sub(1, cast(isFinite, 'float32')), transposed, false);
  return where(greater(lost, 0), fill(product.shape, Number.NaN), product) as Tensor3D;
}

const append = (whole: Tensor | undefined, part: Tensor): Tensor => (whole === undefined ? part : concat([whole, part], 2));

/** Attention by blocks of targets. O(block heads source) memory. */
export function composedAttention(inputs: Inputs, options: AttentionAttributes): Record<string, Tensor> {
  const attending = attendingOf(inputs, options);
  const { batch, heads } = attending;
  const [output, largest, denominator] = forBlocks(attending, [], (made, block) => {
    const { scores, attended } = scoresOf(attending, block);
    const seen = select(attended, scores, NONE);
    const most = maximum(max(seen, -1, true), FLOOR);
    const exponentials = exp(sub(seen, most));
    const total = sumOfRows(exponentials);
    const kept = keptOf(attending, block);
    const mixed = weighed(
      byKeyHeads(kept ? mul(exponentials, kept) : exponentials, attending),
      sourceRows(inputs.value, block),
      attending,
    );
    const unit = add(total, cast(equal(total, 0), 'float32'));
    const part = div(reshape(mixed, [batch, heads, block.count, -1]), unit);
    return [append(made[0], part), append(made[1], most), append(made[2], total)];
  }) as [Tensor, Tensor, Tensor];
  return { output, largest: squeeze(largest, [3]), denominator: squeeze(denominator, [3]) };
}

interface Received {
  largest: Tensor;
  denominator: Tensor;
  dOutput: Tensor;
}

/** The gradient, by blocks of targets too; weights are made again. */
export function composedAttentionBackward(inputs: Inputs & Received, options: AttentionAttributes): Record<string, Tensor> {
  const attending = attendingOf(inputs, options);
  const { query, key, value, bias, dOutput } = inputs;
  const { batch, heads, keyHeads, source, scale } = attending;
  const start = [key, value].map((x) => zeros([batch * keyHeads, source, x.shape[3]!])) as Tensor[];
  if (bias) start.push(zeros([...pairShape(bias.shape)]));
  const [dKey, dValue, ...rest] = forBlocks(attending, start, ([keys, values, ...others], block) => {
    const { begin, count, seen } = block;
    const [pairs, dQueries] = bias ? [others[0], others[1]] : [undefined, others[0]];
    const ofTargets = (x: Tensor) => reshape(slice(x, [0, 0, begin], [-1, -1, count]), [batch, heads, count, 1]);
    const total = ofTargets(inputs.denominator);
    const { scores, attended } = scoresOf(attending, block);
    const exponentials = exp(sub(select(attended, scores, NONE), ofTargets(inputs.largest)));
    const weights = select(attended, div(exponentials, add(total, cast(equal(total, 0), 'float32'))), 0);
    const kept = keptOf(attending, block);
    const received = targetRows(dOutput, attending, block);
    const dDropped = reshape(matMul(received, sourceRows(value, block), false, true), [batch, heads, count, seen]);
    const dWeights = kept ? mul(dDropped, kept) : dDropped;
    // What a weight of 0 stands before may be NaN.
    const alive = notEqual(weights, 0);
    const none = zerosLike(weights);
    const changes = where(alive, mul(weights, dWeights), none);
    const dScores = where(alive, sub(changes, mul(weights, sumOfRows(changes))), none);
    const across = byKeyHeads(dScores, attending);
    const addSources = (whole: Tensor, part: Tensor3D) =>
      add(
        whole,
        pad(part, [
          [0, 0],
          [0, source - seen],
          [0, 0],
        ]),
      );
    const dQuery = mul(weighed(across, sourceRows(key, block), attending), scale);
    return [
      addSources(keys!, weighed(across, mul(targetRows(query, attending, block), scale) as Tensor3D, attending, true)),
      addSources(values!, weighed(byKeyHeads(kept ? mul(weights, kept) : weights, attending), received, attending, true)),
      ...(pairs ? [addPairs(pairs, dScores, block)] : []),
      append(dQueries, reshape(dQuery, [batch, heads, count, -1])),
    ];
  }) as [Tensor, Tensor, ...Tensor[]];
  const dQuery = rest.at(-1)!;
  const made = { dQuery, dKey: reshape(dKey, key.shape), dValue: reshape(dValue, value.shape) };
  return bias ? { ...made, dBias: reshape(rest[0]!, bias.shape) } : made;
}

/** Adds the gradients of a block's scores, summed over the axes that a bias shares, to that of the bias. */
function addPairs(whole: Tensor, dScores: Tensor, { begin, count, seen }: Block): Tensor {
  const [batch, heads, target, source] = whole.shape as [number, number, number, number];
  const shared = [batch, heads, target].flatMap((size, axis) => (size === 1 ? [axis] : []));
  const summed = shared.length > 0 ? sum(dScores, shared, true) : dScores;
  const after = target === 1 ? 0 : target - begin - count;
  return add(
    whole,
    pad(summed, [
      [0, 0],
      [0, 0],
      [target === 1 ? 0 : begin, after],
      [0, source - seen],
    ]),
  );
}
