import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { GridGeometry } from './geometry';
import { acceptsConv, chunkOf, disposeMade, geometryOfCall, partialsOf, runLanes, storePartial, stretchOf } from './webgpu-lanes';
import { type Elements, sumsSource } from './webgpu-sums';

/** What the sums of the forward run over: keys as the first program left them, behind the partial sums. */
const sources: Elements = {
  log: 'prepared[partialCount() + keyOf(lane, other, j)]',
  numerator: 'value[elementOf(lane, other, j)]',
  denominator: '1.0',
  partials: 'prepared',
  offset: '0u',
  isReverse: false,
};

/** The log-normaliser and what rounding takes from it: the gradient's weights are e^-(log + rest), and at 1e4 a float32 is too coarse for them. */
const saveTarget = `
    context[i] = mean;
    if (lane % headDim == 0u) {
      let at = keyOf(lane, line, x);
      let whole = logOf(sums);
      logNormalizer[at] = whole;
      logRest[at] = select(0.0, log(sums.denominator) - (whole - sums.largest), sums.denominator > 0.0);
    }`;

/** Two dispatches: partial sums, with keys that say which source exists; then every target's sums, the gate and what is saved. */
export const webgpuConv: FusedKernel = {
  accepts: acceptsConv,
  run(call: KernelCall): Record<string, TensorInfo> {
    const geometry = geometryOfCall(call);
    const { batch, height, width, heads } = geometry;
    const exists = call.inputs.keyMask ? 'keyMask[placeOf(lane, line, j)] != 0.0' : 'true';
    const { prepared } = runLanes(call, {
      name: 'AftConvSums',
      reads: 'key value keyMask',
      outputs: { prepared: [partialsOf(geometry) + batch * height * width * heads] },
      stretch: chunkOf(geometry),
      body: `
  var sums = nothing;
  for (var j = begin; j < end; j++) {
    let at = keyOf(lane, line, j);
    let exists = ${exists};
    if (exists) { sums = included(sums, key[at], value[elementOf(lane, line, j)]); }
    if (lane % headDim == 0u) {
      if (exists) { prepared[partialCount() + at] = key[at]; } else { prepared[partialCount() + at] = -1e30; }
    }
  }
  let at = partialOf(lane, line, begin / uniforms.chunk);
  ${storePartial('prepared')}`,
    });
    const saves = call.outputShapes.context !== undefined;
    const outputs = runLanes(call, {
      name: 'AftConv',
      reads: 'query value kernel',
      made: { prepared },
      outputs: call.outputShapes,
      stretch: stretchOf(geometry),
      functions: sumsSource(sources, geometry),
      body: `
  let far = farSums(lane, line, begin, end);
  for (var x = begin; x < end; x++) {
    let sums = sumsAt(lane, line, begin, end, x, far);
    let i = elementOf(lane, line, x);
    let mean = meanOf(sums);
    output[i] = gated(i).x * mean;
    ${saves ? saveTarget : ''}
  }`,
    });
    disposeMade(call, [prepared]);
    return outputs;
  },
};

/** What the sums of the backward run over: what the targets receive, behind it the same times their contexts, then the partial sums. */
const targets: Elements = {
  log: 'select(-1e30, -logNormalizer[keyOf(lane, other, j)], logNormalizer[keyOf(lane, other, j)] > -5e29)',
  numerator: 'received[elementOf(lane, other, j)]',
  denominator: 'received[elementCount() + elementOf(lane, other, j)]',
  partials: 'received',
  offset: '2u * elementCount()',
  isReverse: true,
};

/** Four dispatches, three if a head is one channel: the query, the sources, the kernel, and the sums of the keys over the channels of a head. */
export const webgpuConvBackward: FusedKernel = {
  accepts: acceptsConv,
  run(call: KernelCall): Record<string, TensorInfo> {
    const geometry = geometryOfCall(call);
    const { batch, height, width, heads, headDim } = geometry;
    const elements = batch * height * width * heads * headDim;
    const { dQuery, dKey, dValue } = call.outputShapes;
    const { received, ...query } = runLanes(call, {
      name: 'AftConvBackwardQuery',
      reads: 'query context logNormalizer logRest dOutput',
      outputs: { dQuery: dQuery!, received: [2 * elements + partialsOf(geometry)] },
      stretch: chunkOf(geometry),
      body: `
  var sums = nothing;
  for (var j = begin; j < end; j++) {
    let i = elementOf(lane, line, j);
    let gate = gated(i);
    let at = keyOf(lane, line, j);
    let g = dOutput[i] * gate.x * exp(-logRest[at]);
    dQuery[i] = dOutput[i] * context[i] * gate.y;
    received[i] = g;
    received[elementCount() + i] = g * context[i];
    let normalizer = logNormalizer[at];
    if (normalizer > -5e29) { sums = merged(sums, Sums(-normalizer, g, g * context[i])); }
  }
  let at = 2u * elementCount() + partialOf(lane, line, begin / uniforms.chunk);
  ${storePartial('received')}`,
    });
    const exists = call.inputs.keyMask ? 'keyMask[placeOf(lane, line, x)] != 0.0' : 'true';
    const { byChannel, ...values } = runLanes(call, {
      name: 'AftConvBackwardSources',
      reads: 'key value keyMask kernel logNormalizer',
      made: { received },
      outputs: { byChannel: headDim === 1 ? dKey! : [elements], dValue: dValue! },
      stretch: stretchOf(geometry),
      functions: sumsSource(targets, geometry),
      body: `
  let far = farSums(lane, line, begin, end);
  for (var x = begin; x < end; x++) {
    let i = elementOf(lane, line, x);
    var gradient = vec2f(0.0);
    if (${exists}) {
      let sums = sumsAt(lane, line, begin, end, x, far);
      let weight = exp(key[keyOf(lane, line, x)] + sums.largest);
      gradient = weight * vec2f(fma(value[i], sums.numerator, -sums.denominator), sums.numerator);
    }
    byChannel[i] = gradient.x;
    dValue[i] = gradient.y;
  }`,
    });
    const kernel = tapGradients(call, received, geometry);
    if (headDim === 1) {
      disposeMade(call, [received]);
      return { ...query, ...values, ...kernel, dKey: byChannel };
    }
    const keys = sumHeads(call, byChannel, geometry);
    disposeMade(call, [received, byChannel]);
    return { ...query, ...values, ...kernel, ...keys };
  },
};

/** Threads that share the sum of one tap. */
const SHARED = 64;

/**
 * The gradient of each bias, the sum over all pairs of its tap: one workgroup per head and tap, in an order that does not change. As in the sums, what
 * rounding takes from key and bias is kept.
 */
function tapGradients(call: KernelCall, received: TensorInfo, geometry: GridGeometry): { dKernel: TensorInfo } {
  const { batch, height, width, heads, headDim, windowHeight, windowWidth, centerY, centerX } = geometry;
  const dim = heads * headDim;
  const read = ['key', 'value', 'keyMask', 'kernel', 'logNormalizer'].filter((name) => call.inputs[name]);
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftConvBackwardKernel',
    inputs: { ...Object.fromEntries(read.map((name) => [name, call.inputs[name]!])), received },
    outputs: { dKernel: { shape: call.outputShapes.dKernel! } },
    uniforms: Object.fromEntries(
      Object.entries({ height, width, dim, places: batch * height * width }).map(([name, value]) => [
        name,
        { type: 'u32', value },
      ]),
    ),
    workgroupSize: [SHARED, 1, 1],
    workgroups: [windowHeight * windowWidth, heads, 1],
    code: /* wgsl */ `
const headDim = ${headDim}u;
var<workgroup> partial: array<f32, ${SHARED}>;
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  let tap = group.y * ${windowHeight * windowWidth}u + group.x;
  let offsetY = i32(group.x / ${windowWidth}u) - ${centerY};
  let offsetX = i32(group.x % ${windowWidth}u) - ${centerX};
  let heads = uniforms.dim / headDim;
  var total = 0.0;
  var span = 0.0;
  var count = 0u;
  for (var place = thread; place < uniforms.places; place += ${SHARED}u) {
    let y = i32(place / uniforms.width % uniforms.height) + offsetY;
    let x = i32(place % uniforms.width) + offsetX;
    let source = u32(i32(place) + offsetY * i32(uniforms.width) + offsetX);
    let normalizer = logNormalizer[place * heads + group.y];
    if (y < 0 || y >= i32(uniforms.height) || x < 0 || x >= i32(uniforms.width) || normalizer < -5e29) { continue; }
    ${call.inputs.keyMask ? 'if (keyMask[source] == 0.0) { continue; }' : ''}
    var dot = 0.0;
    for (var c = group.y * headDim; c < (group.y + 1u) * headDim; c++) {
      let i = place * uniforms.dim + c;
      dot += fma(value[source * uniforms.dim + c], received[i], -received[uniforms.places * uniforms.dim + i]);
    }
    let log = key[source * heads + group.y];
    let both = log + kernel[tap];
    let taken = both - log;
    let rest = (log - (both - taken)) + (kernel[tap] - taken);
    span = fma(exp((both - normalizer) + rest), dot, span);
    count++;
    if (count % 64u == 0u) { total += span; span = 0.0; }
  }
  partial[thread] = total + span;
  for (var half = ${SHARED / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { partial[thread] += partial[thread + half]; }
  }
  if (thread == 0u) { dKernel[tap] = partial[0]; }
}`,
  });
}

/** The gradient of each key: the sum over the channels of its head. */
function sumHeads(call: KernelCall, byChannel: TensorInfo, geometry: GridGeometry): { dKey: TensorInfo } {
  const { headDim } = geometry;
  const size = byChannel.shape[0]! / headDim;
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftConvBackwardKeys',
    inputs: { byChannel },
    outputs: { dKey: { shape: call.outputShapes.dKey! } },
    uniforms: { size: { type: 'u32', value: size } },
    workgroupSize: [64, 1, 1],
    workgroups: [Math.min(Math.ceil(size / 64), 4096), 1, 1],
    code: /* wgsl */ `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) {
    var sum = 0.0;
    for (var c = i * ${headDim}u; c < (i + 1u) * ${headDim}u; c++) { sum += byChannel[c]; }
    dKey[i] = sum;
  }
}`,
  });
}
