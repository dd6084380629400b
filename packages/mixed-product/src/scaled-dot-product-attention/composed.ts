import { sumOfPairs, whereAttended } from '@mixfold/tensor-ops';
import {
  add,
  cast,
  concat,
  div,
  equal,
  exp,
  max,
  maximum,
  mul,
  notEqual,
  pad,
  reshape,
  slice,
  squeeze,
  sub,
  sum,
  type Tensor,
  type Tensor3D,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import {
  attendingOf,
  type Block,
  byKeyHeads,
  FLOOR,
  forBlocks,
  type Inputs,
  keptOf,
  NONE,
  productsWith,
  scoresOf,
  sourceRows,
  targetRows,
  weighed,
} from './composed-blocks';
import { type AttentionAttributes, pairShape } from './pair-shape';

const append = (whole: Tensor | undefined, part: Tensor): Tensor => (whole === undefined ? part : concat([whole, part], 2));

/** Attention by blocks of targets. O(block heads source) memory. */
export function composedAttention(inputs: Inputs, options: AttentionAttributes): Record<string, Tensor> {
  const attending = attendingOf(inputs, options);
  const { batch, heads } = attending;
  const [output, largest, denominator] = forBlocks(attending, [], (made, block) => {
    const { scores, attended } = scoresOf(attending, block);
    const seen = whereAttended(attended, scores, NONE);
    const most = maximum(max(seen, -1, true), FLOOR);
    const exponentials = exp(sub(seen, most));
    const total = sumOfPairs(exponentials);
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
    const exponentials = exp(sub(whereAttended(attended, scores, NONE), ofTargets(inputs.largest)));
    const weights = whereAttended(attended, div(exponentials, add(total, cast(equal(total, 0), 'float32'))), 0);
    const kept = keptOf(attending, block);
    const received = targetRows(dOutput, attending, block);
    const dDropped = reshape(productsWith(received, sourceRows(value, block), attending), [batch, heads, count, seen]);
    const dWeights = kept ? mul(dDropped, kept) : dDropped;
    // What a weight of 0 stands before may be NaN.
    const alive = notEqual(weights, 0);
    const none = zerosLike(weights);
    const changes = where(alive, mul(weights, dWeights), none);
    const dScores = where(alive, sub(changes, mul(weights, sumOfPairs(changes))), none);
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
