import { type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsLocal, dispose, type LocalCall, receivedSize, runLocal, THREADS, TILE, withBand } from './webgpu-program';

/** Where the parts of `received` begin: level, g, and g times context, of each target; of each chunk; of the final state. */
const receivedAt = `
fn ofTarget(lane: i32, t: i32) -> Sums {
  let at = elementOf(lane, t);
  let size = uniforms.lanes * uniforms.time;
  return Sums(received[at], received[size + at], received[2 * size + at]);
}
fn ofChunk(lane: i32, n: i32) -> Sums {
  let at = 3 * uniforms.lanes * (uniforms.time + n) + lane;
  return Sums(received[at], received[at + uniforms.lanes], received[at + 2 * uniforms.lanes]);
}`;

/** The query's gradient, and what each target receives: its level -L, g and g times context. */
function fromTargets(local: LocalCall): Record<'dQuery' | 'received', TensorInfo> {
  const { call, geometry, chunk } = local;
  const { batch, dim, time } = geometry;
  const lanes = batch * dim;
  const chunks = Math.ceil(time / chunk);
  const final = `
  if (id.y == 0u) {
    let end = 3 * uniforms.lanes * (uniforms.time + (uniforms.time - 1) / uniforms.chunk + 1) + lane;
    let largest = finalState[memoryAt(lane, 0)];
    received[end] = select(-1e30, -largest, largest > -5e29);
    received[end + uniforms.lanes] = dFinalState[memoryAt(lane, 1)];
    received[end + 2 * uniforms.lanes] = -dFinalState[memoryAt(lane, 2)];
  }`;
  return runLocal(local, {
    name: 'AftLocalBackwardTargets',
    reads: `query context logNormalizer dOutput${call.inputs.state ? ' finalState dFinalState' : ''}`,
    outputs: { dQuery: call.outputShapes.dQuery!, received: [receivedSize(lanes, time, chunk)] },
    threads: [lanes, chunks],
    body: `
  let size = uniforms.lanes * uniforms.time;
  var sums = nothing;
  let first = i32(id.y) * uniforms.chunk;
  for (var t = first; t < min(first + uniforms.chunk, uniforms.time); t++) {
    let at = elementOf(lane, t);
    let gate = gated(u32(at));
    let g = gate.x * dOutput[at];
    dQuery[at] = dOutput[at] * context[at] * gate.y;
    let target_ = Sums(select(-1e30, -logNormalizer[at], logNormalizer[at] > -5e29), g, g * context[at]);
    received[at] = target_.largest;
    received[size + at] = target_.numerator;
    received[2 * size + at] = target_.denominator;
    sums = merged(sums, target_);
  }
  let at = 3 * uniforms.lanes * (uniforms.time + i32(id.y)) + lane;
  received[at] = sums.largest;
  received[at + uniforms.lanes] = sums.numerator;
  received[at + 2 * uniforms.lanes] = sums.denominator;
  ${call.inputs.state ? final : ''}`,
  });
}

/** Sums over ranges of targets, and with them the gradient of a source. No exponent is positive but by rounding, for k + w <= L. */
const gradientOfSource = ({ geometry: { causal }, call }: LocalCall) => `
${receivedAt}
fn withTargets(given: Sums, lane: i32, from_: i32, to: i32) -> Sums {
  var sums = given;
  for (var t = from_; t < to;) {
    let last = min(t + uniforms.chunk, uniforms.time);
    if (t % uniforms.chunk == 0 && last <= to) {
      sums = merged(sums, ofChunk(lane, t / uniforms.chunk));
      t = last;
    } else {
      sums = merged(sums, ofTarget(lane, t));
      t++;
    }
  }
  return sums;
}
// What all sources from first to last receive from targets for which their bias is 0.
struct Far { later: i32, earlier: i32, sums: Sums, atEnd: Sums }
fn farFrom(lane: i32, first: i32, last: i32) -> Far {
  let later = clamp(last + uniforms.lag - uniforms.past, 0, uniforms.time);
  let earlier = ${causal ? '0' : 'max(0, first - max(1, uniforms.lag) + 1)'};
  var sums = withTargets(nothing, lane, 0, earlier);
  sums = withTargets(sums, lane, later, uniforms.time);
  ${call.inputs.state ? 'return Far(later, earlier, sums, merged(sums, ofChunk(lane, (uniforms.time - 1) / uniforms.chunk + 1)));' : 'return Far(later, earlier, sums, sums);'}
}
fn gradient(lane: i32, i: i32, far: Far, key: f32, value: f32) -> vec2f {
  var sums = far.sums;
  ${call.inputs.state ? 'if (i < uniforms.sources - uniforms.past) { sums = far.atEnd; }' : ''}
  let weight = exp(min(key + sums.largest, 0.0));
  var slopes = weight * vec2f(fma(value, sums.numerator, -sums.denominator), sums.numerator);
  for (var t = ${causal ? 'max(0, i - uniforms.past)' : 'far.earlier'}; t < far.later; t++) {
    let of_ = ofTarget(lane, t);
    let p = exp(min((key + of_.largest) + biasOf(t, i), 0.0));
    slopes += p * vec2f(fma(value, of_.numerator, -of_.denominator), of_.numerator);
  }
  return slopes;
}`;

const windowGradient = (r: string) =>
  `vec2f(dFinalState[memoryAt(lane, 3 + ${r})], dFinalState[memoryAt(lane, 3 + uniforms.past + ${r})])`;

function ofSources(local: LocalCall, received: TensorInfo): Record<'dKey' | 'dValue', TensorInfo> {
  const { call, geometry } = local;
  const { batch, dim, time, past } = geometry;
  const fresh = { ...local, call: { ...call, inputs: withoutState(call.inputs) }, geometry };
  const atEnd = `if (t + uniforms.past >= uniforms.time) { slopes += ${windowGradient('(t + uniforms.past - uniforms.time)')}; }`;
  return runLocal(fresh, {
    name: 'AftLocalBackwardSources',
    reads: `key value keyMask bias${past > 0 ? ' dFinalState' : ''}`,
    made: { received },
    outputs: { dKey: call.outputShapes.dKey!, dValue: call.outputShapes.dValue! },
    threads: [batch * dim, Math.ceil(time / TILE)],
    code: gradientOfSource(local),
    body: `
  let from_ = i32(id.y) * ${TILE};
  let to = min(from_ + ${TILE}, uniforms.time);
  let far = farFrom(lane, uniforms.past + from_, uniforms.past + to - 1);
  for (var t = from_; t < to; t++) {
    let i = uniforms.past + t;
    var slopes = vec2f(0.0);
    if (isPresent(lane, i)) {
      slopes = gradient(lane, i, far, keyOf(lane, i), valueOf(lane, i));
      ${past > 0 ? atEnd : ''}
    }
    let at = elementOf(lane, t);
    dKey[at] = slopes.x;
    dValue[at] = slopes.y;
  }`,
  });
}

function withoutState({ state, ...rest }: KernelCall['inputs']): KernelCall['inputs'] {
  return rest;
}

/** The gradient of the state: its sums, and the keys and values that it remembers. Its largest key is held constant, for it cancels in every use. */
function ofState(local: LocalCall, received: TensorInfo): TensorInfo {
  const { batch, dim, past } = local.geometry;
  const window = `
  let i = i32(id.y) - 1;
  let key = state[memoryAt(lane, 3 + i)];
  var slopes = vec2f(0.0);
  if (key > -5e29) {
    slopes = gradient(lane, i, farFrom(lane, i, i), key, state[memoryAt(lane, 3 + uniforms.past + i)]);
    if (i >= uniforms.time) { slopes += ${windowGradient('(i - uniforms.time)')}; }
  }
  dState[memoryAt(lane, 3 + i)] = slopes.x;
  dState[memoryAt(lane, 3 + uniforms.past + i)] = slopes.y;`;
  return runLocal(local, {
    name: 'AftLocalBackwardState',
    reads: `state bias${past > 0 ? ' dFinalState' : ''}`,
    made: { received },
    outputs: { dState: local.call.outputShapes.dState! },
    threads: [batch * dim, 1 + past],
    code: gradientOfSource(local),
    body: `
  if (id.y == 0u) {
    let sums = farFrom(lane, -uniforms.time - uniforms.lag, -uniforms.time - uniforms.lag).atEnd;
    let largest = state[memoryAt(lane, 0)];
    let factor = select(0.0, exp(min(largest + sums.largest, 0.0)), largest > -5e29);
    dState[memoryAt(lane, 0)] = 0.0;
    dState[memoryAt(lane, 1)] = factor * sums.numerator;
    dState[memoryAt(lane, 2)] = -factor * sums.denominator;
    return;
  }
  ${past > 0 ? window : ''}`,
  }).dState;
}

/** The gradient of the bias, one thread per element, over batch and channels; 0 where it was not read. */
function ofBias(local: LocalCall, received: TensorInfo, shape: readonly number[]): TensorInfo {
  const { call, geometry } = local;
  const [rows, columns] = shape as [number, number];
  const isTable = call.inputs.positionBias !== undefined;
  const first = call.inputs.u ? 0 : geometry.position;
  const source = isTable ? `lane - ${geometry.position - geometry.past}` : `uniforms.past + t - uniforms.reach + lane`;
  return runLocal(local, {
    name: 'AftLocalBackwardBias',
    reads: 'key value keyMask state bias',
    made: { received },
    outputs: { gradient: shape },
    threads: [columns, rows],
    code: receivedAt,
    body: `
  for (var r = i32(id.y); r < ${rows}; r += i32(groups.y)) {
    let t = r - ${first};
    let i = ${source};
    var total = 0.0;
    let distance = uniforms.past + t - i;
    if (t >= 0 && t < uniforms.time && i >= uniforms.begin && i < uniforms.sources && distance ${geometry.causal ? '>= 0' : '>= -uniforms.reach'} && distance <= uniforms.reach) {
      let w = biasOf(t, i);
      for (var c = 0; c < uniforms.lanes;) {
        var sum = 0.0;
        for (let end = min(c + 64, uniforms.lanes); c < end; c++) {
          if (isPresent(c, i)) {
            let of_ = ofTarget(c, t);
            let p = exp(min((keyOf(c, i) + of_.largest) + w, 0.0));
            sum += p * fma(valueOf(c, i), of_.numerator, -of_.denominator);
          }
        }
        total += sum;
      }
    }
    gradient[r * ${columns} + lane] = total;
  }`,
  }).gradient;
}

/** The gradients of both factors from that of the band. */
function ofFactors({ call, geometry }: LocalCall, dBand: TensorInfo): Record<string, TensorInfo> {
  const { u, v } = call.inputs as { u: TensorInfo; v: TensorInfo };
  const { time, past, begin, sources, position, reach } = geometry;
  const [rank, rows] = [u.shape[1]!, Math.max(u.shape[0]!, v.shape[0]!)];
  const numbers = { rank, time, begin, sources, position, reach, past, rows: u.shape[0]!, columns: v.shape[0]! };
  const uniforms = Object.entries(numbers).map(([name, value]) => [name, { type: 'i32', value }] as const);
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftLocalBackwardFactors',
    inputs: { u, v, dBand },
    outputs: { dU: { shape: u.shape }, dV: { shape: v.shape } },
    uniforms: Object.fromEntries(uniforms),
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(rank / THREADS), Math.min(rows, 65535), 1],
    code: `
fn slope(t: i32, i: i32) -> f32 { return dBand[t * (2 * uniforms.reach + 1) + i - uniforms.past - t + uniforms.reach]; }
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let c = i32(id.x);
  if (c >= uniforms.rank) { return; }
  for (var r = i32(id.y); r < max(uniforms.rows, uniforms.columns); r += i32(groups.y)) {
    let t = r - uniforms.position;
    var sum = 0.0;
    if (r < uniforms.rows) {
      if (t >= 0 && t < uniforms.time) {
        let last = min(uniforms.past + t + uniforms.reach, uniforms.sources - 1);
        for (var i = max(uniforms.begin, uniforms.past + t - uniforms.reach); i <= last; i++) {
          sum = fma(slope(t, i), v[(uniforms.position - uniforms.past + i) * uniforms.rank + c], sum);
        }
      }
      dU[r * uniforms.rank + c] = sum;
    }
    let i = t + uniforms.past;
    sum = 0.0;
    if (r < uniforms.columns) {
      if (i >= uniforms.begin && i < uniforms.sources) {
        for (var n = max(0, t - uniforms.reach); n <= min(uniforms.time - 1, t + uniforms.reach); n++) {
          sum = fma(slope(n, i), u[(uniforms.position + n) * uniforms.rank + c], sum);
        }
      }
      dV[r * uniforms.rank + c] = sum;
    }
  }
}`,
  });
}

/** Three dispatches: targets, sources, bias. One more for a state, two for factors. */
export const webgpuAftLocalBackward = {
  accepts: acceptsLocal,
  run: (call: KernelCall): Record<string, TensorInfo> =>
    withBand(call, (local, made) => {
      const { dBand, dPositionBias, dState, dU, dV } = call.outputShapes;
      const { dQuery, received } = fromTargets(local);
      const gradients: Record<string, TensorInfo> = { dQuery, ...ofSources(local, received) };
      if (dState) gradients.dState = ofState(local, received);
      if (dBand) gradients.dBand = ofBias(local, received, dBand);
      if (dPositionBias) gradients.dPositionBias = ofBias(local, received, dPositionBias);
      if (dU && made) {
        const ofBand = ofBias(local, received, made.shape);
        Object.assign(gradients, ofFactors(local, ofBand));
        dispose(local, [ofBand]);
      } else if (dU) {
        for (const [name, shape] of Object.entries({ dU, dV: dV! })) gradients[name] = zerosOf(local, shape);
      }
      dispose(local, [received]);
      return gradients;
    }),
};

function zerosOf({ call }: LocalCall, shape: readonly number[]): TensorInfo {
  const [rows, columns] = shape as [number, number];
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftLocalNoGradient',
    inputs: {},
    outputs: { zeros: { shape: [...shape] } },
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.ceil(columns / THREADS), Math.min(rows, 65535), 1],
    code: `
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  if (id.x >= ${columns}u) { return; }
  for (var r = id.y; r < ${rows}u; r += groups.y) { zeros[r * ${columns}u + id.x] = 0.0; }
}`,
  }).zeros;
}
