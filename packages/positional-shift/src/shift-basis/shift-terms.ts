import { type Attributes, defineOperator } from '@mixfold/tensor-ops';
import { add, reshape, slice, stack, type Tensor, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries } from '../boundary';
import { geometryOf, type ShiftGeometry } from '../shift-convolution/geometry';
import { readByTerm, returnedByTerm } from '../shift-convolution/terms';

/** How the terms of a basis are applied: all to one input, side by side; each to an input of its own, side by side, or summed. */
export type TermMode = 'spread' | 'each' | 'sum';

const attributes: { offsets: string; boundary: Boundary; height: number; width: number; mode: TermMode; adjoint: boolean } = {
  offsets: '[]',
  boundary: 'zero',
  height: 1,
  width: 1,
  mode: 'spread',
  adjoint: false,
};
const attributeRules = {
  boundary: boundaries,
  height: 'nonNegativeInteger',
  width: 'nonNegativeInteger',
  mode: ['spread', 'each', 'sum'],
} as const;

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The mode of the gradient: what was spread is summed. */
const backwards = { spread: 'sum', sum: 'spread', each: 'each' } as const satisfies Record<TermMode, TermMode>;

/** Applies the terms to `x` `[batch, nodes, channels]`, or `[batch, nodes, terms, channels]`. */
function applied(x: Tensor, call: Attributes, mode: TermMode, adjoint: boolean): Tensor {
  const { height, width } = call as unknown as typeof attributes;
  const batch = x.shape[0]!;
  const channels = x.shape.at(-1)!;
  const geometry: ShiftGeometry = geometryOf({ batch, height, width }, call);
  const { offsets } = geometry;
  const rows = batch * height * width;
  const move = adjoint ? returnedByTerm : readByTerm;
  const inputOf = (k: number): Tensor2D =>
    mode === 'spread' ? reshape(x, [rows, channels]) : reshape(slice(x, [0, 0, k, 0], [-1, -1, 1, -1]), [rows, channels]);
  const results = offsets.map((offset, k) => tidy(() => move(inputOf(k), geometry, offset)));
  if (mode === 'sum') {
    const total = results.reduce((sum, result) => add(sum, result) as Tensor2D);
    return reshape(total, [batch, height * width, channels]);
  }
  return reshape(stack(results, 1), [batch, height * width, offsets.length, channels]);
}

/** The gradient of `shiftTermsOperator`: the adjoint terms. */
export const shiftTermsBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftTermsBackward',
  publicName: 'shiftBasis',
  inputs: { x: '...x', dOutput: '...y' },
  attributes,
  attributeRules,
  outputs: { dX: '...x' },
  compose: ({ dOutput }, call) => ({ dX: applied(dOutput, call, backwards[call.mode], !call.adjoint) }),
});

/** The terms of a shift basis as they act on nodes in row-major order. */
export const shiftTermsOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftTerms',
  publicName: 'shiftBasis',
  inputs: { x: '...x' },
  attributes,
  attributeRules,
  outputs: { output: '...y' },
  shapes({ x }: Shapes, { mode, offsets }: typeof attributes) {
    const [batch, nodes] = x as [number, number];
    const terms = mode === 'sum' ? [] : [(JSON.parse(offsets) as unknown[]).length];
    return { '...y': [batch, nodes, ...terms, x!.at(-1)!] };
  },
  compose: ({ x }, call) => ({ output: applied(x, call, call.mode, call.adjoint) }),
  backward: shiftTermsBackwardOperator,
});
