import { defineOperator, withImplementation } from '@mixfold/tensor-ops';
import { concat, slice, type Tensor4D } from '@tensorflow/tfjs-core';

/** The gradient of `appendTimeOperator`. */
export const appendTimeBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AttentionAppendTimeBackward',
  publicName: 'appendTime',
  inputs: { 'past?': 'batch heads source headDim', x: 'batch heads time headDim', dJoined: '...joined' },
  attributes: {},
  outputs: { 'dPast?': 'batch heads source headDim', dX: 'batch heads time headDim' },
  compose({ past, x, dJoined }) {
    const joined = dJoined as Tensor4D;
    const begin = past?.shape[2] ?? 0;
    const dX = slice(joined, [0, 0, begin, 0], x.shape);
    return past === undefined ? { dX } : { dPast: slice(joined, [0, 0, 0, 0], past.shape), dX };
  },
});

/** One tensor behind another along time: a join whose gradient needs none of tfjs. */
export const appendTimeOperator = /* @__PURE__ */ defineOperator({
  name: 'AttentionAppendTime',
  publicName: 'appendTime',
  inputs: { 'past?': 'batch heads source headDim', x: 'batch heads time headDim' },
  attributes: {},
  outputs: { joined: '...joined' },
  shapes({ past, x }) {
    const [batch, heads, time, headDim] = x as [number, number, number, number];
    return { '...joined': [batch, heads, time + (past?.[2] ?? 0), headDim] };
  },
  compose: ({ past, x }) => ({ joined: past === undefined ? x : concat([past, x], 2) }),
  backward: appendTimeBackwardOperator,
});

/** `past` and `x` along time; either may have no steps. */
export function appendTime(past: Tensor4D, x: Tensor4D): Tensor4D {
  const given = past.shape[2] === 0 ? { x } : x.shape[2] === 0 ? { x: past } : { past, x };
  // It has but one form, also where the operator's fused form is asked for.
  return withImplementation('composed', () => appendTimeOperator.run(given).joined as Tensor4D);
}
