import {
  ATTENTION_TILE,
  addWeighed,
  declareAttention,
  type FusedKernel,
  type KernelCall,
  storeWeights,
  webGpuBackend,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { webgpuBiasGradient } from './webgpu-bias';
import { makeDScores, receivedFunctions } from './webgpu-dscores';
import {
  acceptsAttention,
  eachRow,
  openMain,
  pairFunctions,
  repeat,
  runPairs,
  seenBefore,
  sizesOf,
  tilesOf,
} from './webgpu-pairs';

/** Channels, in tiles, that one workgroup sums for queries; for keys and values, of each. More are shared out. */
const [MOST_QUERY_TILES, MOST_SOURCE_TILES] = [4, 2];

/**
 * Three dispatches, and one more for a bias: what each target receives, over its denominator; the gradient of queries, by targets; those of keys and values, by
 * sources. A thread owns what it sums, so there are no atomics.
 */
export const webgpuAttentionBackward: FusedKernel = {
  accepts: acceptsAttention,
  run(call) {
    const received = receive(call);
    const { dQuery } = differentiateQueries(call, received);
    const { dKey, dValue } = differentiateSources(call, received);
    const bias = call.inputs.bias ? webgpuBiasGradient(call, received) : {};
    webGpuBackend(call.backend).disposeData(received.dataId);
    return { dQuery: dQuery!, dKey: dKey!, dValue: dValue!, ...bias };
  },
};

/** `[batch, heads, target, valueDim + 2]`: the gradient that arrives over the denominator, its product with the output, and the largest score. */
function receive(call: KernelCall): TensorInfo {
  const { batch, heads, target, valueDim } = sizesOf(call);
  const rows = batch * heads * target;
  return runPairs(call, {
    name: 'AttentionReceive',
    inputs: ['output', 'dOutput', 'largest', 'denominator'],
    outputs: { received: { shape: [rows, valueDim + 2] } },
    workgroups: Math.ceil(rows / 64),
    code: `${openMain}
  let row = number * 64u + 8u * y + x;
  if (row >= uniforms.batches * uniforms.heads * uniforms.targets) { return; }
  let source = row * uniforms.valueDim;
  let made = row * (uniforms.valueDim + 2u);
  let sum = denominator[row];
  let inverse = select(0.0, 1.0 / max(sum, 1e-30), sum > 0.0);
  var product = 0.0;
  for (var c = 0u; c < uniforms.valueDim; c++) {
    let share = select(0.0, dOutput[source + c] * inverse, sum > 0.0);
    product += share * output[source + c];
    received[made + c] = share * uniforms.keep;
  }
  received[made + uniforms.valueDim] = product;
  received[made + uniforms.valueDim + 1u] = largest[row];
}`,
  }).received!;
}

const PAIRS = ['query', 'key', 'value', 'mask', 'bias'] as const;

/** Registers for sums over tiles of channels. */
const declareSums = (name: string, tiles: number): string =>
  repeat(tiles, (c) => [0, 1, 2, 3].map((i) => `var ${name}${c}_${i} = vec4f();`).join(' '));

/** Stores sums: `store` takes the row, the column and four neighbouring numbers. */
const storeSums = (name: string, tiles: number, row: string, store: string): string =>
  repeat(tiles, (c) =>
    [0, 1, 2, 3]
      .map((i) => `${store}(${row} + 4u * y + ${i}u, firstColumn + ${c * ATTENTION_TILE}u + 4u * x, ${name}${c}_${i});`)
      .join('\n    '),
  );

/** A function that stores four neighbouring columns of a row, where they exist. */
const storeFunction = (name: string, output: string, rows: string, count: string, width: string, factor = ''): string => `
fn ${name}(row: u32, column: u32, sums: vec4f) {
  if (row >= uniforms.${count}) { return; }
  for (var i = 0u; i < min(4u, max(column, uniforms.${width}) - column); i++) {
    ${output}[(${rows} + row) * uniforms.${width} + column + i] = ${factor}sums[i];
  }
}`;

function differentiateQueries(call: KernelCall, received: TensorInfo) {
  const { batch, heads, target, headDim } = sizesOf(call);
  const tiles = Math.min(tilesOf(headDim), MOST_QUERY_TILES);
  const shares = Math.ceil(tilesOf(headDim) / tiles);
  const code = `${pairFunctions}${receivedFunctions}
${declareAttention(['weights'])}
${storeFunction('storeQuery', 'dQuery', 'queryRows', 'targets', 'headDim', 'uniforms.scale * ')}
${openMain}
  let tilesAlong = (uniforms.targets + ${ATTENTION_TILE - 1}u) / ${ATTENTION_TILE}u;
  let firstTarget = number / ${shares}u % tilesAlong * ${ATTENTION_TILE}u;
  let headNumber = number / ${shares}u / tilesAlong;
  selectHead(headNumber / uniforms.heads, headNumber % uniforms.heads);
  let firstColumn = number % ${shares}u * ${tiles * ATTENTION_TILE}u;
  ${declareSums('sum', tiles)}
  let seen = ${seenBefore(`firstTarget + ${ATTENTION_TILE}u`)};
  for (var firstSource = 0u; firstSource < seen; firstSource += ${ATTENTION_TILE}u) {
    ${makeDScores('sources')}
    ${storeWeights('weights', 'dScore')}
    ${repeat(tiles, (c) => addWeighed(`sum${c}_`, 'weights', `known(keyOf(firstSource + row, firstColumn + ${c * ATTENTION_TILE}u + column))`))}
  }
  ${storeSums('sum', tiles, 'firstTarget', 'storeQuery')}
}`;
  return runPairs(call, {
    name: 'AttentionBackwardQueries',
    inputs: PAIRS,
    made: { received },
    outputs: { dQuery: { shape: call.outputShapes.dQuery! } },
    workgroups: batch * heads * tilesOf(target) * shares,
    code,
  });
}

function differentiateSources(call: KernelCall, received: TensorInfo) {
  const { batch, keyHeads, source, headDim, valueDim } = sizesOf(call);
  const widest = Math.max(tilesOf(headDim), tilesOf(valueDim));
  const [keyTiles, valueTiles] = [headDim, valueDim].map((width) => Math.min(tilesOf(width), MOST_SOURCE_TILES)) as [
    number,
    number,
  ];
  const shares = Math.ceil(widest / MOST_SOURCE_TILES);
  const column = (c: number) => `firstColumn + ${c * ATTENTION_TILE}u + column`;
  // The first target that sees the first source of the tile.
  const begin = `(max(firstSource + uniforms.targets, uniforms.reach) - uniforms.reach) / ${ATTENTION_TILE}u * ${ATTENTION_TILE}u`;
  const code = `${pairFunctions}${receivedFunctions}
${declareAttention(['weights', 'dWeights'])}
${storeFunction('storeKey', 'dKey', 'keyRows', 'sources', 'headDim')}
${storeFunction('storeValue', 'dValue', 'keyRows', 'sources', 'valueDim')}
${openMain}
  let tilesAlong = (uniforms.sources + ${ATTENTION_TILE - 1}u) / ${ATTENTION_TILE}u;
  let firstSource = number / ${shares}u % tilesAlong * ${ATTENTION_TILE}u;
  let headNumber = number / ${shares}u / tilesAlong;
  let firstColumn = number % ${shares}u * ${MOST_SOURCE_TILES * ATTENTION_TILE}u;
  let members = uniforms.heads / uniforms.keyHeads;
  ${declareSums('keySum', keyTiles)}
  ${declareSums('valueSum', valueTiles)}
  for (var member = 0u; member < members; member++) {
    selectHead(headNumber / uniforms.keyHeads, headNumber % uniforms.keyHeads * members + member);
    for (var firstTarget = ${begin}; firstTarget < uniforms.targets; firstTarget += ${ATTENTION_TILE}u) {
      ${makeDScores('targets')}
      ${storeWeights('dWeights', 'dScore')}
      ${eachRow('score', 'targets', 'kept($value, $t, $j)')}
      ${storeWeights('weights', 'score')}
      ${repeat(keyTiles, (c) => addWeighed(`keySum${c}_`, 'dWeights', `known(queryOf(firstTarget + row, ${column(c)}))`))}
      ${repeat(valueTiles, (c) => addWeighed(`valueSum${c}_`, 'weights', `known(receivedOf(firstTarget + row, ${column(c)}))`))}
    }
  }
  ${storeSums('keySum', keyTiles, 'firstSource', 'storeKey')}
  ${storeSums('valueSum', valueTiles, 'firstSource', 'storeValue')}
}`;
  return runPairs(call, {
    name: 'AttentionBackwardSources',
    inputs: PAIRS,
    made: { received },
    outputs: { dKey: { shape: call.outputShapes.dKey! }, dValue: { shape: call.outputShapes.dValue! } },
    workgroups: batch * keyHeads * tilesOf(source) * shares,
    code,
  });
}
