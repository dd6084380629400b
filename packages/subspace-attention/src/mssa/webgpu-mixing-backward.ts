import {
  ATTENTION_TILE,
  addWeighed,
  declareAttention,
  type KernelCall,
  multiplyRows,
  runProgram,
  storeWeights,
  webGpuBackend,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { declareSums, matchAt, repeat, runPairs, SOURCES, targetsOf, tilesOf } from './webgpu-pairs';
import { sizesOf } from './webgpu-products';

/** The numbers of four columns, as vectors across them. */
const across = (name: string, part: string) => `vec4f(${[0, 1, 2, 3].map((j) => `${name}[4u * x + ${j}u].${part}`).join(', ')})`;

/** What a token is measured by: its largest score, one over its denominator, the product of what its mixture is and receives, and one over its root mean square. */
const numbersFunction = (normalised: boolean) => /* wgsl */ `
fn isTarget(t: u32) -> bool { return (t >= uniforms.past) & (t < uniforms.sources); }
fn targetRow(t: u32) -> u32 { return firstTargetRow + clamp(t, uniforms.past, uniforms.sources - 1u) - uniforms.past; }
fn receivedOf(t: u32, c: u32) -> f32 {
  return select(0.0, dMixed[targetRow(t) * uniforms.headDim + min(c, uniforms.headDim - 1u)], isTarget(t) & (c < uniforms.headDim));
}
fn numbersOf(t: u32) -> vec4f {
  let row = targetRow(t);
  let sum = select(0.0, denominator[row], isTarget(t));
  // In the order in which gradients of weights are summed: where one weight is nearly 1, the two differ by little.
  var both = 0.0;
  for (var at = row * uniforms.headDim; at < (row + 1u) * uniforms.headDim; at++) { both += dMixed[at] * mixed[at]; }
  return vec4f(largest[row], select(0.0, 1.0 / sum, sum > 0.0), both, ${normalised ? 'inverseRootOf(t)' : '1.0'});
}
fn weightsOf(scores: vec4f, largest: vec4f, inverse: vec4f, isSeen: vec4<bool>) -> vec4f {
  return select(vec4f(), inverse * exp(clamp(scores - largest, vec4f(-87.0), vec4f())), isSeen);
}
// Where the weight is 0, what it would be multiplied by may be anything.
fn changesOf(weights: vec4f, dWeights: vec4f, both: vec4f) -> vec4f {
  return select(vec4f(), weights * (dWeights - both), weights > vec4f());
}`;

/**
 * One dispatch, five products between tiles. A workgroup owns 32 tokens i of a head and goes through all others j, 32 at a time. The score of i and j is that of j
 * and i, so both weights follow from one product; and query, key and value being one tensor, all that i receives is summed in one place:
 *
 *     dW_i = sum over j of A_ji dY_j + s (dS_ij + dS_ji) W_j,    dS_ij = A_ij (dY_i W_j - dY_i Y_i)
 *
 * @returns `[batch, heads, sources, headDim]` as one line; with normalised queries and keys, behind it what the gain receives from each tile of tokens.
 */
export function webgpuMixBackward(call: KernelCall, dMixed: TensorInfo): TensorInfo {
  const { batch, sources, heads, headDim } = sizesOf(call);
  const { projected, mixed, largest, denominator } = call.inputs as Record<string, TensorInfo>;
  const normalised = call.inputs.queryKeyGain !== undefined;
  const size = batch * heads * sources * headDim;
  const sums = normalised ? 'matchSum' : 'sum';
  const place = (c: number) => `firstColumn + ${c * ATTENTION_TILE}u`;
  const { dProjected } = runPairs(call, {
    name: 'MssaMixingBackward',
    inputs: { projected: projected!, dMixed, mixed: mixed!, largest: largest!, denominator: denominator! },
    outputs: { dProjected: { shape: [size + (normalised ? batch * heads * tilesOf(sources) * headDim : 0)] } },
    uniforms: { gainAt: size },
    over: 'sources',
    mostTiles: 2,
    functions: `${numbersFunction(normalised)}
${declareAttention(['weights'])}
var<workgroup> targetNumbers: array<vec4f, ${ATTENTION_TILE}>;
var<workgroup> sourceNumbers: array<vec4f, ${ATTENTION_TILE}>;
${normalised ? gainFunctions : ''}
fn storeRow(t: u32, c: u32, row: vec4f) {
  if (t >= uniforms.sources) { return; }
  for (var j = 0u; j < min(4u, max(c, uniforms.headDim) - c); j++) { dProjected[(firstSourceRow + t) * uniforms.headDim + c + j] = row[j]; }
}`,
    body: (tiles) => `
  ${declareSums('sum', tiles)}
  ${normalised ? `${declareSums('matchSum', tiles)} var along = vec4f();` : ''}
  if (index < ${ATTENTION_TILE}u) { targetNumbers[index] = numbersOf(firstTarget + index); }
  // What only looks back is seen by targets alone.
  let isPast = firstTarget + ${ATTENTION_TILE}u <= uniforms.past;
  let begin = select(0u, uniforms.past / ${ATTENTION_TILE}u * ${ATTENTION_TILE}u, isPast);
  for (var firstSource = begin; firstSource < uniforms.sources; firstSource += ${ATTENTION_TILE}u) {
    if (index < ${ATTENTION_TILE}u) { sourceNumbers[index] = numbersOf(firstSource + index); }
    ${multiplyRows('score', matchAt(normalised, 'firstTarget', 'k', 'targetNumbers[ROW].w'), matchAt(normalised, 'firstSource', 'k', 'sourceNumbers[ROW].w'), 'uniforms.headDim')}
    ${repeat(4, (i) => `score${i} *= uniforms.scale; var change${i} = vec4f();`)}
    if (uniforms.causal == 0u || firstSource <= firstTarget) {
      ${multiplyRows('dWeight', 'receivedOf(firstTarget + row, k)', 'valueOf(firstSource + row, k)', 'uniforms.headDim')}
      ${repeat(4, (i) => {
        const weights = `weightsOf(score${i}, vec4f(own.x), vec4f(own.y), sees(${targetsOf(i)}, ${SOURCES}))`;
        return `{ let own = targetNumbers[4u * y + ${i}u]; change${i} = changesOf(${weights}, dWeight${i}, vec4f(own.z)); }`;
      })}
    }
    if (uniforms.causal == 0u || firstSource >= firstTarget) {
      ${multiplyRows('dWeight', 'valueOf(firstTarget + row, k)', 'receivedOf(firstSource + row, k)', 'uniforms.headDim')}
      let largestOfSources = ${across('sourceNumbers', 'x')};
      let inverses = ${across('sourceNumbers', 'y')};
      let boths = ${across('sourceNumbers', 'z')};
      ${repeat(4, (i) => {
        const weights = `weightsOf(score${i}, largestOfSources, inverses, sees(${SOURCES}, ${targetsOf(i)}))`;
        return `let weight${i} = ${weights}; change${i} += changesOf(weight${i}, dWeight${i}, boths);`;
      })}
      ${storeWeights('weights', 'weight')}
      ${repeat(tiles, (c) => addWeighed(`sum${c}_`, 'weights', `receivedOf(firstSource + row, ${place(c)} + column)`))}
      workgroupBarrier();
    }
    ${normalised ? repeat(4, (i) => `along[${i}] += dot(change${i}, select(vec4f(), score${i}, change${i} != vec4f()));`) : ''}
    ${repeat(4, (i) => `change${i} *= uniforms.scale;`)}
    ${storeWeights('weights', 'change')}
    ${repeat(tiles, (c) => addWeighed(`${sums}${c}_`, 'weights', `known(${matchAt(normalised, 'firstSource', `${place(c)} + column`, 'sourceNumbers[ROW].w')})`))}
  }
  ${normalised ? normalisedToProjected(tiles, place) : ''}
  ${repeat(tiles, (c) => [0, 1, 2, 3].map((i) => `storeRow(firstTarget + 4u * y + ${i}u, ${place(c)} + 4u * x, sum${c}_${i});`).join('\n  '))}`,
  });
  return dProjected;
}

/** WGSL of four neighbouring projected numbers of a token, and of what stores what the gain receives from a tile of tokens. */
const gainFunctions = /* wgsl */ `
fn valuesOf(t: u32, c: u32) -> vec4f {
  return vec4f(known(valueOf(t, c)), known(valueOf(t, c + 1u)), known(valueOf(t, c + 2u)), known(valueOf(t, c + 3u)));
}
fn storeGain(number: u32, c: u32, row: vec4f) {
  for (var j = 0u; j < min(4u, max(c, uniforms.headDim) - c); j++) {
    dProjected[uniforms.gainAt + number * uniforms.headDim + c + j] = row[j];
  }
}`;

/**
 * From what queries and keys receive to what projected tokens do. With n a row over its root mean square r: dW += (g dM - n mean(g dM n)) / r; the mean is that of
 * dM M, and so of all scores of the row times what they receive, which every share of the channels has.
 */
const normalisedToProjected = (tiles: number, place: (c: number) => string): string => `
  workgroupBarrier();
  weights[8u * y + x] = along;
  workgroupBarrier();
  along = vec4f();
  for (var part = 0u; part < 8u; part++) { along += weights[8u * y + part]; }
  along /= f32(uniforms.headDim);
  ${repeat(
    tiles,
    (c) => `{
    let c = ${place(c)} + 4u * x;
    let gains = vec4f(gainOf(c), gainOf(c + 1u), gainOf(c + 2u), gainOf(c + 3u));
    var received = vec4f();
    ${repeat(
      4,
      (i) => `{
      let inverse = targetNumbers[4u * y + ${i}u].w;
      let unit = inverse * valuesOf(firstTarget + 4u * y + ${i}u, c);
      received += matchSum${c}_${i} * unit;
      sum${c}_${i} += inverse * (gains * matchSum${c}_${i} - unit * along[${i}]);
    }`,
    )}
    workgroupBarrier();
    weights[8u * y + x] = received;
    workgroupBarrier();
    if (y == 0u) {
      received = vec4f();
      for (var part = 0u; part < 8u; part++) { received += weights[8u * part + x]; }
      storeGain(headNumber * tilesAlong + firstTarget / ${ATTENTION_TILE}u, c, received);
    }
  }`,
  )}`;

/** What the gain receives: the sum of what it does from every tile of tokens, one workgroup per channel. */
export function webgpuGainGradient(call: KernelCall, dProjected: TensorInfo): TensorInfo {
  const { batch, sources, heads, headDim } = sizesOf(call);
  const numbers = { headDim, gainAt: batch * heads * sources * headDim, parts: batch * heads * tilesOf(sources) };
  return runProgram(webGpuBackend(call.backend), {
    name: 'MssaGainGradient',
    inputs: { dProjected },
    outputs: { dGain: { shape: [headDim] } },
    uniforms: Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, { type: 'u32', value }])),
    workgroupSize: [64, 1, 1],
    workgroups: [headDim, 1, 1],
    code: `
var<workgroup> sums: array<f32, 64>;
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  var sum = 0.0;
  for (var part = index; part < uniforms.parts; part += 64u) { sum += dProjected[uniforms.gainAt + part * uniforms.headDim + group.x]; }
  sums[index] = sum;
  workgroupBarrier();
  if (index > 0u) { return; }
  for (var i = 1u; i < 64u; i++) { sum += sums[i]; }
  dGain[group.x] = sum;
}`,
  }).dGain;
}
