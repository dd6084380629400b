import type { KernelCall } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsLocal, dispose, type LocalCall, MOST_BUFFERS, readTensors, runLocal, TILE, withBand } from './webgpu-program';

export { webgpuAftLocalBackward } from './webgpu-backward';

/** WGSL of three parts of running sums at `at`, the next ones at a distance of `uniforms.lanes`. */
const storeSums = (tensor: string) =>
  `${tensor}[at] = sums.largest; ${tensor}[at + uniforms.lanes] = sums.numerator; ${tensor}[at + 2 * uniforms.lanes] = sums.denominator;`;

/** Sums over ranges of sources: by chunks where a range holds them, source by source at its ends. */
const sumsOfSources = ({ call }: LocalCall) => `
fn withSource(sums: Sums, lane: i32, i: i32) -> Sums {
  if (isPresent(lane, i)) { return included(sums, keyOf(lane, i), valueOf(lane, i)); }
  return sums;
}
fn withSources(given: Sums, lane: i32, from_: i32, to: i32) -> Sums {
  var sums = given;
  for (var i = from_; i < to;) {
    if (i % uniforms.chunk == 0 && i + uniforms.chunk <= to) {
      let at = i / uniforms.chunk * 3 * uniforms.lanes + lane;
      sums = merged(sums, Sums(partial[at], partial[at + uniforms.lanes], partial[at + 2 * uniforms.lanes]));
      i += uniforms.chunk;
    } else {
      sums = withSource(sums, lane, i);
      i++;
    }
  }
  return sums;
}
fn begun(lane: i32) -> Sums {
  ${call.inputs.state ? 'return Sums(state[memoryAt(lane, 0)], state[memoryAt(lane, 1)], state[memoryAt(lane, 2)]);' : 'return nothing;'}
}`;

/** The sums of each chunk of sources by itself, `[chunks, 3, lanes]`. */
function chunkSums(local: LocalCall): TensorInfo {
  const { geometry, chunk } = local;
  const lanes = geometry.batch * geometry.dim;
  const chunks = Math.ceil(geometry.sources / chunk);
  return runLocal(local, {
    name: 'AftLocalSums',
    reads: 'key value keyMask state',
    outputs: { partial: [chunks, 3, lanes] },
    threads: [lanes, chunks],
    body: `
  var sums = nothing;
  let first = i32(id.y) * uniforms.chunk;
  for (var i = first; i < min(first + uniforms.chunk, uniforms.sources); i++) {
    if (isPresent(lane, i)) { sums = included(sums, keyOf(lane, i), valueOf(lane, i)); }
  }
  let at = i32(id.y) * 3 * uniforms.lanes + lane;
  ${storeSums('partial')}`,
  }).partial;
}

/**
 * Each thread has the targets of a tile. Sources before the window of the first or after that of the last come as sums. The others come one by one, with
 * their bias, relative to the largest key and the largest bias.
 */
function mix(local: LocalCall, partial: TensorInfo, outputs: Record<string, readonly number[]>) {
  const { geometry } = local;
  const { batch, dim, time, causal } = geometry;
  const { output, context, logNormalizer } = outputs;
  return runLocal(local, {
    name: 'AftLocalMix',
    reads: `${output ? 'query ' : ''}key value keyMask state bias`,
    made: { partial },
    outputs,
    threads: [batch * dim, Math.ceil(time / TILE)],
    code: sumsOfSources(local),
    body: `
  let from_ = i32(id.y) * ${TILE};
  let to = min(from_ + ${TILE}, uniforms.time);
  let first = max(0, uniforms.past + from_ - uniforms.reach);
  var far = withSources(begun(lane), lane, 0, first);
  ${causal ? '' : 'let end = min(to - 1 + max(1, uniforms.lag), uniforms.sources); far = withSources(far, lane, end, uniforms.sources);'}
  for (var t = from_; t < to; t++) {
    ${causal ? 'let end = uniforms.past + t + 1;' : ''}
    var level = far.largest;
    var most = -1e30;
    for (var i = first; i < end; i++) {
      if (isPresent(lane, i)) { level = max(level, keyOf(lane, i)); most = max(most, biasOf(t, i)); }
    }
    most = select(0.0, most, most > -5e29);
    var sums = Sums((far.largest - level) - most, far.numerator, far.denominator);
    for (var i = first; i < end; i++) {
      if (isPresent(lane, i)) { sums = included(sums, (keyOf(lane, i) - level) + (biasOf(t, i) - most), valueOf(lane, i)); }
    }
    let mean = meanOf(sums);
    let at = elementOf(lane, t);
    ${output ? 'output[at] = gated(u32(at)).x * mean;' : ''}
    ${context ? 'context[at] = mean;' : ''}
    ${logNormalizer ? 'logNormalizer[at] = level + (most + logOf(sums));' : ''}
  }`,
  });
}

/** The state after the last source: sums of what has left the window, and the last keys and values. */
function finalState(local: LocalCall, partial: TensorInfo, shape: readonly number[]): TensorInfo {
  const { batch, dim, past } = local.geometry;
  const window = `
  let r = i32(id.y) - 1;
  let here = isPresent(lane, uniforms.time + r);
  finalState[memoryAt(lane, 3 + r)] = select(-1e30, keyOf(lane, uniforms.time + r), here);
  finalState[memoryAt(lane, 3 + uniforms.past + r)] = select(0.0, valueOf(lane, uniforms.time + r), here);`;
  return runLocal(local, {
    name: 'AftLocalState',
    reads: 'key value keyMask state',
    made: { partial },
    outputs: { finalState: shape },
    threads: [batch * dim, 1 + past],
    code: sumsOfSources(local),
    body: `
  if (id.y == 0u) {
    let sums = withSources(begun(lane), lane, 0, uniforms.sources - uniforms.past);
    finalState[memoryAt(lane, 0)] = sums.largest;
    finalState[memoryAt(lane, 1)] = sums.numerator;
    finalState[memoryAt(lane, 2)] = sums.denominator;
    return;
  }
  ${past > 0 ? window : ''}`,
  }).finalState;
}

/** The gate by itself, where the mixture binds too many tensors to apply it. */
function gate(local: LocalCall, context: TensorInfo, shape: readonly number[]): TensorInfo {
  const { batch, dim, time } = local.geometry;
  return runLocal(local, {
    name: 'AftLocalGate',
    reads: 'query',
    made: { context },
    outputs: { output: shape },
    threads: [batch * dim, Math.ceil(time / TILE)],
    body: `
  for (var t = i32(id.y) * ${TILE}; t < min(i32(id.y + 1) * ${TILE}, uniforms.time); t++) {
    let at = elementOf(lane, t);
    output[at] = gated(u32(at)).x * context[at];
  }`,
  }).output;
}

/** Two dispatches: sums of chunks, then the mixture. One more for factors, for a state, and for a gate that does not fit in. */
export const webgpuAftLocal = {
  accepts: acceptsLocal,
  run: (call: KernelCall): Record<string, TensorInfo> =>
    withBand(call, (local) => {
      const { finalState: finalShape, output, ...saved } = call.outputShapes;
      const partial = chunkSums(local);
      const bound = Object.keys(readTensors(local, 'query key value keyMask state bias')).length + 2 + Object.keys(saved).length;
      const fits = bound <= MOST_BUFFERS;
      const outputs = mix(local, partial, fits ? { output: output!, ...saved } : saved);
      if (!fits) outputs.output = gate(local, outputs.context!, output!);
      if (finalShape) outputs.finalState = finalState(local, partial, finalShape);
      dispose(local, [partial]);
      return outputs;
    }),
};
