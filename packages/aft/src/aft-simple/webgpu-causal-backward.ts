import { type KernelCall, runProgram } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { gateSource } from '../wgsl/gate';
import { runningSums } from '../wgsl/running-sums';
import { CHUNKED_FROM } from './webgpu-causal';
import {
  acceptsSimple,
  attendsSource,
  elementSource,
  laneThreads,
  laneWorkgroups,
  pick,
  type SimpleSizes,
  scanChunk,
  simpleSizes,
  stateSource,
  u32,
} from './webgpu-sizes';

/** Steps of time per thread where the first program scans nothing. */
const SHORT_TILE = 4;

/**
 * What a target receives, g and g times its context, flows from the last target to the first, times exp(L[t] - L[t + 1]) on each step.
 * Two dispatches for a short sequence without a state; else three: in each chunk by itself, over the chunks, in each chunk again.
 */
export const webgpuAftSimpleCausalBackward = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const sizes = simpleSizes(call);
    const chunked = sizes.time >= CHUNKED_FROM || call.inputs.initialState !== undefined;
    const chunk = chunked ? scanChunk(sizes.time) : sizes.time;
    const { dQuery, received, partial } = receive(call, sizes, chunked ? chunk : undefined);
    const scanned = partial && scanChunks(call, sizes, chunk, partial);
    const { dKey, dValue } = spread(call, sizes, chunk, received!, scanned?.carry);
    for (const temporary of [received, partial, scanned?.carry]) {
      if (temporary !== undefined) sizes.backend.disposeData(temporary.dataId);
    }
    const { dInitialState } = scanned ?? {};
    return { dQuery: dQuery!, dKey: dKey!, dValue: dValue!, ...(dInitialState ? { dInitialState } : {}) };
  },
};

/**
 * The query's gradient, and `received`: g of all elements, then g times context of all elements. For one chunk a last row follows, what the
 * final state's gradient adds at the last target; for several, `partial` `[chunks, 2, lanes]` is what each chunk gathers at its first target.
 */
function receive(call: KernelCall, { backend, time, dim, lanes, activation }: SimpleSizes, chunk: number | undefined) {
  const scans = chunk !== undefined;
  const tile = chunk ?? SHORT_TILE;
  const tiles = Math.ceil(time / tile);
  const last = scans ? [] : ['finalState', 'dFinalState'];
  const names = [...(activation === null ? [] : ['query']), 'context', 'logNormalizer', 'dOutput', ...last];
  const outputs: Record<string, { shape: number[] }> = {
    dQuery: { shape: call.outputShapes.dQuery! },
    received: { shape: [2 * lanes * (scans ? time : time + 1)] },
    ...(scans ? { partial: { shape: [tiles, 2, lanes] } } : {}),
  };
  const made: Record<string, TensorInfo> = runProgram(backend, {
    name: 'AftSimpleCausalBackwardQuery',
    inputs: pick(call.inputs, names),
    outputs,
    uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), tile: u32(tile) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, tiles),
    code: `${runningSums} ${elementSource} ${gateSource(activation)} ${scans ? '' : stateSource}
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        let total = uniforms.lanes * uniforms.time;
        let begin = id.y * uniforms.tile;
        let end = min(begin + uniforms.tile, uniforms.time);
        ${scans ? 'var gathered = vec2f(0.0); var later = logNormalizer[elementOf(lane, end - 1u)];' : ''}
        for (var t = end; t > begin; t--) {
          let i = elementOf(lane, t - 1u);
          let gate = gated(i);
          let g = vec2f(gate.x * dOutput[i], gate.x * dOutput[i] * context[i]);
          dQuery[i] = dOutput[i] * context[i] * gate.y;
          received[i] = g.x;
          received[total + i] = g.y;
          ${scans ? 'let x = logNormalizer[i] - later; gathered = g + vec2f(scaled(gathered.x, x), scaled(gathered.y, x)); later = logNormalizer[i];' : ''}
        }
        ${
          scans
            ? `let c = id.y * 2u * uniforms.lanes + lane;
               partial[c] = gathered.x;
               partial[c + uniforms.lanes] = gathered.y;`
            : `if (end == uniforms.time) {
                 let x = logNormalizer[elementOf(lane, end - 1u)] - finalState[partOf(0u, lane)];
                 received[2u * total + lane] = scaled(dFinalState[partOf(1u, lane)], x);
                 received[2u * total + uniforms.lanes + lane] = -scaled(dFinalState[partOf(2u, lane)], x);
               }`
        }
      }`,
  });
  return made as { dQuery: TensorInfo; received: TensorInfo; partial?: TensorInfo };
}

/** What reaches the last target of each chunk from later ones, `[chunks, 2, lanes]`, and the gradient of the initial state. */
function scanChunks(call: KernelCall, { backend, time, dim, lanes }: SimpleSizes, chunk: number, partial: TensorInfo) {
  const { dInitialState } = call.outputShapes;
  const chunks = Math.ceil(time / chunk);
  const outputs: Record<string, { shape: number[] }> = {
    carry: { shape: [chunks, 2, lanes] },
    ...(dInitialState ? { dInitialState: { shape: dInitialState } } : {}),
  };
  const made: Record<string, TensorInfo> = runProgram(backend, {
    name: 'AftSimpleCausalBackwardCarry',
    inputs: { ...pick(call.inputs, ['initialState', 'finalState', 'logNormalizer', 'dFinalState']), partial },
    outputs,
    uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), chunk: u32(chunk), chunks: u32(chunks) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, 1),
    code: `${runningSums} ${elementSource} ${stateSource}
      fn scaledBoth(sums: vec2f, x: f32) -> vec2f { return vec2f(scaled(sums.x, x), scaled(sums.y, x)); }
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        var gathered = vec2f(dFinalState[partOf(1u, lane)], -dFinalState[partOf(2u, lane)]);
        var later = finalState[partOf(0u, lane)];
        for (var chunk = uniforms.chunks; chunk > 0u; chunk--) {
          let c = (chunk - 1u) * 2u * uniforms.lanes + lane;
          let last = logNormalizer[elementOf(lane, min(chunk * uniforms.chunk, uniforms.time) - 1u)];
          let first = logNormalizer[elementOf(lane, (chunk - 1u) * uniforms.chunk)];
          gathered = scaledBoth(gathered, last - later);
          carry[c] = gathered.x;
          carry[c + uniforms.lanes] = gathered.y;
          gathered = scaledBoth(gathered, first - last) + vec2f(partial[c], partial[c + uniforms.lanes]);
          later = first;
        }
        ${dInitialState ? storeInitial : ''}
      }`,
  });
  return made as { carry: TensorInfo; dInitialState?: TensorInfo };
}

/** The largest key of a state is held constant, for it cancels in every use of the state. A state that has seen nothing gets 0. */
const storeInitial = `
  let largest = initialState[partOf(0u, lane)];
  dInitialState[partOf(0u, lane)] = 0.0;
  dInitialState[partOf(1u, lane)] = select(0.0, scaled(gathered.x, largest - later), largest > -5e29);
  dInitialState[partOf(2u, lane)] = select(0.0, -scaled(gathered.y, largest - later), largest > -5e29);`;

/** The gradients of key and value, by walking back through each chunk. */
function spread(
  call: KernelCall,
  { backend, time, dim, lanes }: SimpleSizes,
  chunk: number,
  received: TensorInfo,
  carry: TensorInfo | undefined,
) {
  return runProgram(backend, {
    name: 'AftSimpleCausalBackwardSources',
    inputs: { ...pick(call.inputs, ['key', 'value', 'keyMask', 'logNormalizer']), received, ...(carry ? { carry } : {}) },
    outputs: { dKey: { shape: call.outputShapes.dKey! }, dValue: { shape: call.outputShapes.dValue! } },
    uniforms: { lanes: u32(lanes), time: u32(time), dim: u32(dim), chunk: u32(chunk) },
    workgroupSize: [laneThreads, 1, 1],
    workgroups: laneWorkgroups(lanes, Math.ceil(time / chunk)),
    code: `${runningSums} ${elementSource} ${attendsSource(call.inputs)}
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let lane = id.x;
        if (lane >= uniforms.lanes) { return; }
        let total = uniforms.lanes * uniforms.time;
        let begin = id.y * uniforms.chunk;
        let end = min(begin + uniforms.chunk, uniforms.time);
        let c = ${carry ? 'id.y * 2u * uniforms.lanes + lane' : '2u * total + lane'};
        var gathered = ${carry ? 'vec2f(carry[c], carry[c + uniforms.lanes])' : 'vec2f(received[c], received[c + uniforms.lanes])'};
        var later = logNormalizer[elementOf(lane, end - 1u)];
        for (var t = end; t > begin; t--) {
          let i = elementOf(lane, t - 1u);
          let x = logNormalizer[i] - later;
          later = logNormalizer[i];
          gathered = vec2f(received[i], received[total + i]) + vec2f(scaled(gathered.x, x), scaled(gathered.y, x));
          var gradient = vec2f(0.0);
          if (attends(lane, t - 1u)) {
            let weight = exp(key[i] - later);
            gradient = weight * vec2f(fma(value[i], gathered.x, -gathered.y), gathered.x);
          }
          dKey[i] = gradient.x;
          dValue[i] = gradient.y;
        }
      }`,
  });
}
