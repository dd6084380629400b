import type { KernelCall } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { CHUNKED_FROM, scanChunk } from './webgpu-causal';
import { acceptsSimple, disposeMade, placeOf, runLanes, sizesOf } from './webgpu-lanes';

/** Steps of time per thread where the first program scans nothing. */
const SHORT_TILE = 4;

/**
 * What a target receives, g and g times its context, flows from the last target to the first, times exp(L[t] - L[t + 1]) on each step.
 * Two dispatches for a short sequence without a state; else three: in each chunk by itself, over the chunks, in each chunk again.
 */
export const webgpuAftSimpleCausalBackward = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { time } = sizesOf(call);
    const { dQuery, dKey, dValue, dInitialState } = call.outputShapes;
    if (time < CHUNKED_FROM && dInitialState === undefined) {
      const { received, ...first } = receiveShort(call, dQuery!);
      const second = spread(call, time, { received }, { dKey: dKey!, dValue: dValue! });
      disposeMade(call, [received]);
      return { ...first, ...second };
    }
    const chunk = scanChunk(time);
    const { received, partial, ...first } = receiveChunks(call, chunk, dQuery!);
    const { carry, ...state } = scanChunks(call, chunk, partial, dInitialState);
    const second = spread(call, chunk, { received, carry: carry! }, { dKey: dKey!, dValue: dValue! });
    disposeMade(call, [received, partial, carry]);
    return { ...first, ...second, ...state };
  },
};

/** What each step of the first program does: the query's gradient, and `received`: g of all elements, then g times context of all. */
const receiveStep = `
    let i = elementOf(lane, t - 1u);
    let gate = gated(i);
    let g = gate.x * dOutput[i] * vec2f(1.0, context[i]);
    dQuery[i] = dOutput[i] * context[i] * gate.y;
    received[i] = g.x;
    received[uniforms.lanes * uniforms.time + i] = g.y;`;

const scaledBoth = (pair: string, x: string) => `vec2f(scaled(${pair}.x, ${x}), scaled(${pair}.y, ${x}))`;

/** In `received` a last row follows: what the gradient of the final state adds at the last target. */
function receiveShort(call: KernelCall, dQuery: number[]) {
  const { time, lanes } = sizesOf(call);
  return runLanes(call, {
    name: 'AftSimpleCausalBackwardQuery',
    reads: 'query context logNormalizer dOutput finalState dFinalState',
    outputs: { dQuery, received: [2 * lanes * (time + 1)] },
    chunk: SHORT_TILE,
    body: `
  for (var t = end; t > begin; t--) {${receiveStep}
  }
  if (end == uniforms.time) {
    let at = 2u * uniforms.lanes * uniforms.time + lane;
    let x = logNormalizer[elementOf(lane, end - 1u)] - finalState[partOf(0u, lane)];
    received[at] = scaled(dFinalState[partOf(1u, lane)], x);
    received[at + uniforms.lanes] = -scaled(dFinalState[partOf(2u, lane)], x);
  }`,
  });
}

/** Also `partial` `[chunks, 2, lanes]`: what each chunk by itself gathers at its first target. */
function receiveChunks(call: KernelCall, chunk: number, dQuery: number[]) {
  const { time, lanes } = sizesOf(call);
  return runLanes(call, {
    name: 'AftSimpleCausalBackwardQuery',
    reads: 'query context logNormalizer dOutput',
    outputs: { dQuery, received: [2 * lanes * time], partial: [Math.ceil(time / chunk), 2, lanes] },
    chunk,
    body: `
  var gathered = vec2f(0.0);
  var later = logNormalizer[elementOf(lane, end - 1u)];
  for (var t = end; t > begin; t--) {${receiveStep}
    gathered = g + ${scaledBoth('gathered', 'logNormalizer[i] - later')};
    later = logNormalizer[i];
  }
  let at = ${placeOf('id.y', 2)};
  partial[at] = gathered.x;
  partial[at + uniforms.lanes] = gathered.y;`,
  });
}

/** What reaches the last target of each chunk from later ones, `[chunks, 2, lanes]`, and the gradient of the initial state. */
function scanChunks(call: KernelCall, chunk: number, partial: TensorInfo, dInitialState: number[] | undefined) {
  const outputs: Record<'carry', number[]> & { dInitialState?: number[] } = { carry: partial.shape };
  if (dInitialState) outputs.dInitialState = dInitialState;
  return runLanes<'carry' | 'dInitialState'>(
    call,
    {
      name: 'AftSimpleCausalBackwardCarry',
      reads: 'initialState finalState logNormalizer dFinalState',
      made: { partial },
      outputs: outputs as Record<'carry' | 'dInitialState', number[]>,
      chunk,
      body: `
  var gathered = vec2f(dFinalState[partOf(1u, lane)], -dFinalState[partOf(2u, lane)]);
  var later = finalState[partOf(0u, lane)];
  for (var c = (uniforms.time - 1u) / uniforms.chunk + 1u; c > 0u; c--) {
    let at = ${placeOf('(c - 1u)', 2)};
    let last = logNormalizer[elementOf(lane, min(c * uniforms.chunk, uniforms.time) - 1u)];
    let first = logNormalizer[elementOf(lane, (c - 1u) * uniforms.chunk)];
    gathered = ${scaledBoth('gathered', 'last - later')};
    carry[at] = gathered.x;
    carry[at + uniforms.lanes] = gathered.y;
    gathered = vec2f(partial[at], partial[at + uniforms.lanes]) + ${scaledBoth('gathered', 'first - last')};
    later = first;
  }
  ${dInitialState ? storeInitial : ''}`,
    },
    1,
  );
}

/** The largest key of a state is held constant, for it cancels in every use of the state. A state that has seen nothing gets 0. */
const storeInitial = `
  let largest = initialState[partOf(0u, lane)];
  let begun = largest > -5e29;
  dInitialState[partOf(0u, lane)] = 0.0;
  dInitialState[partOf(1u, lane)] = select(0.0, scaled(gathered.x, largest - later), begun);
  dInitialState[partOf(2u, lane)] = select(0.0, -scaled(gathered.y, largest - later), begun);`;

/** The gradients of key and value, by walking back through each chunk. */
function spread(
  call: KernelCall,
  chunk: number,
  made: { received: TensorInfo; carry?: TensorInfo },
  outputs: { dKey: number[]; dValue: number[] },
) {
  return runLanes(call, {
    name: 'AftSimpleCausalBackwardSources',
    reads: 'key value keyMask logNormalizer',
    made,
    outputs,
    chunk,
    body: `
  let total = uniforms.lanes * uniforms.time;
  let at = ${made.carry ? placeOf('id.y', 2) : '2u * total + lane'};
  var gathered = ${made.carry ? 'vec2f(carry[at], carry[at + uniforms.lanes])' : 'vec2f(received[at], received[at + uniforms.lanes])'};
  var later = logNormalizer[elementOf(lane, end - 1u)];
  for (var t = end; t > begin; t--) {
    let i = elementOf(lane, t - 1u);
    gathered = vec2f(received[i], received[total + i]) + ${scaledBoth('gathered', 'logNormalizer[i] - later')};
    later = logNormalizer[i];
    var gradient = vec2f(0.0);
    if (attends(lane, t - 1u)) { gradient = exp(key[i] - later) * vec2f(fma(value[i], gathered.x, -gathered.y), gathered.x); }
    dKey[i] = gradient.x;
    dValue[i] = gradient.y;
  }`,
  });
}
