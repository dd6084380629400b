import { type FusedKernel, type KernelCall, planGemm, runGemm, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';
import { gateSource } from '../wgsl/gate';
import { factorGradients } from './webgpu-factors';
import {
  acceptsFull,
  BLOCK,
  directMix,
  FLAGGED,
  gatherReferences,
  referenceReaders,
  rowsOf,
  sizesOf,
  uniformsFor,
} from './webgpu-references';

/**
 * Four dispatches: the references of the exponents; what each target receives; the gradients of keys and values; that of the bias. Factors take two for
 * the last: one each.
 */
export const webgpuAftFullBackward: FusedKernel = {
  accepts: acceptsFull,
  run(call: KernelCall) {
    const backend = webGpuBackend(call.backend);
    const references = gatherReferences(call, 'backward');
    const { dQuery, received } = receive(call, references);
    const sources = differentiateSources(call, references, received);
    const bias = call.inputs.positionBias
      ? differentiateBias(call, references, received)
      : factorGradients(call, references, received);
    for (const made of [references, received]) backend.disposeData(made.dataId);
    return { dQuery, ...sources, ...bias };
  },
};

/**
 * `received` holds, per element and one after the other: r = g / denominator, and r times context, both 0 where the denominator is too small for a product;
 * for these alone g over the denominator relative to an integer, that times context, and the integer. A flag per FLAGGED targets follows: whether there are
 * such.
 */
function receive(call: KernelCall, references: TensorInfo) {
  const { target, channels } = sizesOf(call);
  const { query, key, positionBias, context, dOutput } = call.inputs;
  const activation = call.attributes.queryActivation as QueryActivation;
  const block = sizesOf(call).causal ? `t / ${BLOCK}u` : '0u';
  const code = `${referenceReaders(call, 'backward')}
${directMix(false)}
${gateSource(activation)}
var<workgroup> direct: array<u32, 64>;
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let first = group.x * ${FLAGGED}u;
  var some = 0u;
  for (var e = index; e < ${FLAGGED}u * uniforms.channels; e += 64u) {
    let t = first + e / uniforms.channels;
    let column = e % uniforms.channels;
    if (t >= uniforms.targets) { break; }
    let i = elementOf(t, column);
    let gate = gated(i);
    let g = gate.x * dOutput[i];
    let mixed = context[i];
    dQuery[i] = gate.y * dOutput[i] * mixed;
    let log = logOf(i);
    let inverse = (referenceOf(${block}, column) - largestKey(column)) - log + references[t];
    let exists = log > -5e29;
    let r = select(0.0, g * exp(min(inverse, 46.0)), exists && inverse <= 46.0);
    var share = 0.0;
    var largest = 0.0;
    if (exists && inverse > 46.0) {
      let mix = mixDirectly(t, column);
      share = g / mix.denominator;
      largest = mix.largest;
      some = 1u;
    }
    received[i] = r;
    received[uniforms.elements + i] = r * mixed;
    received[2u * uniforms.elements + i] = share;
    received[3u * uniforms.elements + i] = share * mixed;
    received[4u * uniforms.elements + i] = largest;
  }
  direct[index] = some;
  workgroupBarrier();
  if (index == 0u) {
    for (var n = 1u; n < 64u; n++) { some |= direct[n]; }
    received[5u * uniforms.elements + group.x] = f32(some);
  }
}`;
  const flags = Math.ceil(target / FLAGGED);
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftFullReceive',
    inputs: {
      ...(activation === null ? {} : { query: query! }),
      ...{ key: key!, context: context!, dOutput: dOutput!, references },
      ...(positionBias ? { positionBias } : {}),
    },
    outputs: { dQuery: { shape: call.outputShapes.dQuery! }, received: { shape: [5 * target * channels + flags] } },
    uniforms: uniformsFor(call, code),
    workgroupSize: [64, 1, 1],
    workgroups: [flags, 1, 1],
    code,
  });
}

/** WGSL that reads what `receive` kept for direct use. */
export const directReaders = `
fn isFlagged(t: u32) -> bool { return received[5u * uniforms.elements + t / ${FLAGGED}u] != 0.0; }
fn shareOf(i: u32) -> f32 { return received[2u * uniforms.elements + i]; }
fn shareMixedOf(i: u32) -> f32 { return received[3u * uniforms.elements + i]; }
fn weightBy(i: u32, k: f32, w: f32) -> f32 { return exp(exponent(k, w, received[4u * uniforms.elements + i])); }`;

function differentiateSources(call: KernelCall, references: TensorInfo, received: TensorInfo) {
  const backend = webGpuBackend(call.backend);
  const { target, source, channels, causal } = sizesOf(call);
  const { key, value, positionBias } = call.inputs;
  const size = { ...rowsOf(sizesOf(call), source), columns: channels, depth: target };
  const { tile } = planGemm(size, 2, backend.device.limits);
  const functions = `${referenceReaders(call, 'backward')}${directReaders}
fn rowOf(batch: u32, row: u32) -> u32 { return ${causal ? `batch * ${BLOCK}u + row` : 'row'}; }
fn receivedBy(batch: u32, t: u32, column: u32, part: u32) -> f32 {
  let r = received[part * uniforms.elements + elementOf(t, column)];
  return ${causal ? `r * exp(referenceOf(batch, column) - referenceOf(t / ${BLOCK}u, column))` : 'r'};
}`;
  const left = `let j = rowOf(batch, row);
    ${causal ? 'if (k < j || j >= uniforms.sources) { return 0.0; }' : ''}
    return exp(biasAt(k, j) - references[k]);`;
  const store = `let j = rowOf(batch, row);
    ${causal ? 'if (j >= uniforms.sources) { return; }' : ''}
    let i = sourceOf(j, column);
    dValue[i] = value0;
    dKey[i] = value1;`;
  const revisit = `let j = rowOf(batch, row);
    if (j >= uniforms.sources) { return; }
    let i = sourceOf(j, column);
    if (!attends(column, j)) { dKey[i] = 0.0; dValue[i] = 0.0; return; }
    let own = exp(key[i] - referenceOf(${causal ? 'batch' : '0u'}, column));
    var toKey = own * (value[i] * dValue[i] - dKey[i]);
    var toValue = own * dValue[i];
    for (var t = ${causal ? 'j' : '0u'}; t < uniforms.targets; t++) {
      if (!isFlagged(t)) { t |= ${FLAGGED - 1}u; continue; }
      let e = elementOf(t, column);
      if (shareOf(e) == 0.0) { continue; }
      let weight = weightBy(e, key[i], biasAt(t, j));
      toValue = fma(weight, shareOf(e), toValue);
      toKey = fma(weight, shareOf(e) * value[i] - shareMixedOf(e), toKey);
    }
    dValue[i] = toValue;
    dKey[i] = toKey;`;
  const { dKey, dValue } = call.outputShapes;
  return runGemm(backend, {
    name: 'AftFullBackwardSources',
    size,
    plan: { tile, splits: 1 },
    inputs: { key: key!, value: value!, references, received, ...(positionBias ? { positionBias } : {}) },
    outputs: { dKey: { shape: dKey! }, dValue: { shape: dValue! } },
    uniforms: uniformsFor(call, [functions, left, store, revisit].join()),
    left: { element: left, neighbours: positionBias ? 'width' : 'depth' },
    rights: [0, 1].map((part) => ({ element: `return receivedBy(batch, k, column, ${part}u);`, neighbours: 'width' as const })),
    store,
    revisit,
    range: causal ? { begin: `batch * ${BLOCK}u + firstRow` } : undefined,
    functions,
  });
}

/** A product over the channels of all batch entries, twice: with r and weighted values, and with r times context and negated weights. */
function differentiateBias(call: KernelCall, references: TensorInfo, received: TensorInfo) {
  const backend = webGpuBackend(call.backend);
  const { target, source, channels, causal } = sizesOf(call);
  const { key, value, positionBias } = call.inputs;
  const size = { ...rowsOf(sizesOf(call), target), columns: source, depth: 2 * channels };
  const { tile } = planGemm(size, 1, backend.device.limits);
  const functions = `${referenceReaders(call, 'backward')}${directReaders}
fn rowOf(batch: u32, row: u32) -> u32 { return ${causal ? `batch * ${BLOCK}u + row` : 'row'}; }`;
  const left = `let t = rowOf(batch, row);
    ${causal ? 'if (t >= uniforms.targets) { return 0.0; }' : ''}
    let isMixed = k >= uniforms.channels;
    return received[elementOf(t, select(k, k - uniforms.channels, isMixed)) + select(0u, uniforms.elements, isMixed)];`;
  const right = `let isMixed = k >= uniforms.channels;
    let channel = select(k, k - uniforms.channels, isMixed);
    if (!attends(channel, column)) { return 0.0; }
    let i = sourceOf(column, channel);
    let weight = exp(min(key[i] - referenceOf(${causal ? 'batch' : '0u'}, channel), 0.0));
    return weight * select(value[i], -1.0, isMixed);`;
  const store = `let t = rowOf(batch, row);
    ${causal ? 'if (t >= uniforms.targets) { return; }' : ''}
    dPositionBias[t * uniforms.sources + column] = value0;`;
  const revisit = `let t = rowOf(batch, row);
    if (t >= uniforms.targets) { return; }
    let at = t * uniforms.sources + column;
    var gradient = 0.0;
    if (column < seenBy(t)) {
      gradient = exp(positionBias[at] - references[t]) * dPositionBias[at];
      if (isFlagged(t)) { gradient += directGradient(t, column); }
    }
    dPositionBias[at] = gradient;`;
  const { dPositionBias } = call.outputShapes;
  return runGemm(backend, {
    name: 'AftFullBackwardBias',
    size,
    plan: { tile, splits: 1 },
    inputs: { key: key!, value: value!, references, received, positionBias: positionBias! },
    outputs: { dPositionBias: { shape: dPositionBias! } },
    uniforms: uniformsFor(call, [functions, directBiasGradient, left, right, store, revisit].join()),
    left: { element: left, neighbours: 'depth' },
    rights: [{ element: right, neighbours: 'depth' }],
    store,
    revisit,
    range: causal
      ? { end: `select(uniforms.depth, 0u, firstColumn > batch * ${BLOCK}u + firstRow + ${tile.rows - 1}u)` }
      : undefined,
    functions: `${functions}${directBiasGradient}`,
  });
}

/** WGSL of what the elements of target `t` that were left out add to the gradient of its bias with source `j`. */
export const directBiasGradient = /* wgsl */ `
fn directGradient(t: u32, j: u32) -> f32 {
  var sum = 0.0;
  for (var column = 0u; column < uniforms.channels; column++) {
    let e = elementOf(t, column);
    if (shareOf(e) == 0.0 || !attends(column, j)) { continue; }
    let i = sourceOf(j, column);
    sum = fma(weightBy(e, key[i], biasAt(t, j)), shareOf(e) * value[i] - shareMixedOf(e), sum);
  }
  return sum;
}`;
