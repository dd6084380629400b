import { type AftState, aftSimple, aftSimpleCausalOperator, aftSimplePrefill, aftSimpleState, aftSimpleStep } from '@mixfold/aft';
import {
  matMul,
  mul,
  pad,
  reshape,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tidy,
} from '@tensorflow/tfjs-core';
import type { Params } from './params';
import { recencyKey } from './recency-key';
import type { MixerState, RowSizes, StreamingMixer } from './token-mixer';
import { numbers, uniform } from './weight-plan';

/** Steepest slope at the start, nats per token: the previous token weighs 0.14 of the newest. */
const STEEPEST = 2;

/**
 * Causal AFT-simple with query, key, value and output projections, and a learned recency of every channel (see `recencyKey`).
 *
 * Slopes start spread between 0 and 2 nats per token, so that some channels average all the past and others look at a few tokens.
 */
export const aftSimpleMixer: StreamingMixer = {
  operator: aftSimpleCausalOperator,

  shapes({ batch, time }, dim) {
    const shape = [batch, time, dim];
    return { query: shape, key: shape, value: shape };
  },

  plan: (dim, outputDeviation) => ({
    query: uniform([dim, dim], 1 / Math.sqrt(dim)),
    key: uniform([dim, dim], 1 / Math.sqrt(dim)),
    value: uniform([dim, dim], 1 / Math.sqrt(dim)),
    output: uniform([dim, dim], outputDeviation),
    slope: numbers([dim], (_, channel) => STEEPEST * (channel / Math.max(1, dim - 1)) ** 2),
  }),

  apply(params, rows, sizes) {
    const { query, key, value } = projections(params, rows, sizes, positionsToEnd(sizes.time));
    return project(params, aftSimple(query, key, value, { causal: true }), rows);
  },

  initialState: (batch, dim) => aftSimpleState(batch, dim),

  prefill(params, rows, sizes, state) {
    const { query, key, value } = projections(params, rows, sizes, positionsToEnd(sizes.time));
    const next = aftSimplePrefill(query, key, value, movedOrigin(state, params.slope as Tensor1D, sizes.time));
    return { output: project(params, next.output, rows), state: next.state };
  },

  step(params, rows, state) {
    const multiply = (name: string) => matMul(rows, params[name] as Tensor2D) as Tensor2D;
    const moved = movedOrigin(state, params.slope as Tensor1D, 1);
    const next = aftSimpleStep(multiply('query'), multiply('key'), multiply('value'), moved);
    return { output: project(params, next.output, rows), state: next.state };
  },
};

/** Positions that end at 0: only differences count, and the newest token then needs no position, in a stream of any length. */
function positionsToEnd(time: number): number[] {
  return Array.from({ length: time }, (_, step) => step - (time - 1));
}

/**
 * The state with the origin of positions moved on by `time` tokens: its largest keys fall by `slope * time`, its sums stand
 * relative to them. Keys in a stream stay small that way, and float32 exact, wherever in the text they are.
 */
function movedOrigin({ operator, position, tensors }: MixerState, slope: Tensor1D, time: number): AftState<'aftSimple'> {
  const sums = tidy(() => {
    const fall = reshape(mul(slope, time), [1, 1, slope.size]) as Tensor3D;
    return sub(
      tensors.sums!,
      pad(fall, [
        [0, 0],
        [0, 2],
        [0, 0],
      ]),
    );
  });
  return { operator: operator as 'aftSimple', position, tensors: { sums } };
}

function projections(params: Params, rows: Tensor2D, { batch, time }: RowSizes, positions: readonly number[]) {
  const shaped = (x: Tensor2D) => reshape(x, [batch, time, x.shape[1]]) as Tensor3D;
  const multiply = (name: string) => matMul(rows, params[name] as Tensor2D) as Tensor2D;
  return {
    query: shaped(multiply('query')),
    key: shaped(recencyKey(multiply('key'), params.slope as Tensor1D, positions)),
    value: shaped(multiply('value')),
  };
}

function project(params: Params, mixed: Tensor, rows: Tensor2D): Tensor2D {
  return matMul(reshape(mixed, rows.shape) as Tensor2D, params.output as Tensor2D) as Tensor2D;
}
