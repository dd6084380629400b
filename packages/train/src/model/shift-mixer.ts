import { causalOffsets, shiftConvolution, shiftConvolutionOperator } from '@mixfold/positional-shift';
import { concat, reshape, slice, type Tensor2D, type Tensor3D, zeros } from '@tensorflow/tfjs-core';
import type { Params } from './params';
import { plannedFactors, type ShiftConfig, thetaOf } from './shift-parameter';
import type { MixerState, RowSizes, StreamingMixer } from './token-mixer';

/** A causal convolution: every token adds what it and the `terms - 1` before it say, each through a matrix of its own. */
export function shiftMixer(dim: number, config: ShiftConfig): StreamingMixer {
  const { terms } = config;
  const reach = terms - 1;
  const offsets = causalOffsets(terms);

  const advance = (params: Params, rows: Tensor2D, { batch, time }: RowSizes, { position, tensors }: MixerState) => {
    const all = concat([tensors.rows!, reshape(rows, [batch, time, dim])], 1) as Tensor3D;
    const seen = slice(shiftConvolution(all, thetaOf(params, config), { offsets }), [0, reach, 0], [-1, time, -1]);
    const state: MixerState = {
      operator: 'shift',
      position: position + time,
      tensors: { rows: slice(all, [0, all.shape[1] - reach, 0], [-1, reach, -1]) },
    };
    return { output: reshape(seen, rows.shape) as Tensor2D, state };
  };

  return {
    operator: shiftConvolutionOperator,
    shapes: ({ batch, time }) => ({ x: [batch, time, dim], theta: [terms, dim, dim] }),
    plan: (width, outputDeviation) => plannedFactors(width, config, outputDeviation / Math.sqrt(terms)),
    apply(params, rows, { batch, time }) {
      const x = reshape(rows, [batch, time, dim]) as Tensor3D;
      return reshape(shiftConvolution(x, thetaOf(params, config), { offsets }), rows.shape) as Tensor2D;
    },
    initialState: (batch) => ({ operator: 'shift', position: 0, tensors: { rows: zeros([batch, reach, dim]) } }),
    prefill: advance,
    step: (params, rows, state) => advance(params, rows, { batch: rows.shape[0], time: 1 }, state),
  };
}
