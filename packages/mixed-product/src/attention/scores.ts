import { matMul } from '@mixfold/tensor-ops';
import {
  add,
  clone,
  expandDims,
  mul,
  reshape,
  sum,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { columnSums } from '../tape/add-bias';
import { differentiable, linearMap } from '../tape/linear-map';
import { permuted, viewAs } from '../tape/views';

/** How keys and queries are compared. */
export type ScoreOptions =
  /** Bilinear: `[heads, keyDim, queryDim]`. */
  | { readonly lambda: Tensor3D }
  /** Of low rank: `[heads, keyDim, headDim]` and `[heads, queryDim, headDim]`, biases `[heads, headDim]`. */
  | {
      readonly keyWeights: Tensor3D;
      readonly queryWeights: Tensor3D;
      readonly keyBias?: Tensor2D | undefined;
      readonly queryBias?: Tensor2D | undefined;
    }
  /** Collaborative: projections `[keyDim, rank]` and `[queryDim, rank]` that all heads share, mixed by `[heads, rank]`. */
  | { readonly u: Tensor2D; readonly mixing: Tensor2D; readonly v: Tensor2D };

/** Keys and queries whose inner products are the scores. */
export interface Comparison {
  /** `[batch, heads, source, size]`, or with one head for all. */
  readonly key: Tensor4D;
  /** `[batch, heads, target, size]`. */
  readonly query: Tensor4D;
  /** What the scores are divided by if nothing is said. */
  readonly temperature: number;
}

/**
 * Keys and queries of the scores; shared keys have one head.
 *
 * @param isKeyBiasSeen - Whether queries differ from source to source, as structure can make them. Else a key bias adds the same to all scores of a target.
 */
export function comparisonOf(keyInput: Tensor3D, queryInput: Tensor3D, scores: ScoreOptions, isKeyBiasSeen: boolean): Comparison {
  const oneHead = (x: Tensor3D) => viewAs<Tensor4D>(x, [x.shape[0], 1, x.shape[1], x.shape[2]]);
  if ('lambda' in scores) {
    // x' (Lambda y'^T): the keys are the input itself, for all heads.
    return { key: oneHead(keyInput), query: project(queryInput, permuted<Tensor3D>(scores.lambda, [0, 2, 1])), temperature: 1 };
  }
  if ('keyWeights' in scores) {
    const { keyWeights, queryWeights, keyBias, queryBias } = scores;
    const own = project(keyInput, keyWeights);
    const key = isKeyBiasSeen ? biased(own, keyBias) : unmoved(own, keyBias);
    return { key, query: biased(project(queryInput, queryWeights), queryBias), temperature: Math.sqrt(keyWeights.shape[2]) };
  }
  const key = oneHead(matMul(keyInput, scores.u) as Tensor3D);
  return { key, query: mixed(matMul(queryInput, scores.v) as Tensor3D, scores.mixing), temperature: 1 };
}

/** `x [batch, nodes, dim]` by a matrix per head `[heads, dim, size]`: `[batch, heads, nodes, size]`. */
export function project(x: Tensor3D, weights: Tensor3D): Tensor4D {
  const [heads, dim, size] = weights.shape;
  const wide = viewAs(permuted(weights, [1, 0, 2]), [dim, heads * size]);
  return permuted(viewAs(matMul(x, wide), [x.shape[0], x.shape[1], heads, size]), [0, 2, 1, 3]);
}

/** `x [batch, heads, nodes, size]` with a bias per head `[heads, size]`. */
export function biased(x: Tensor4D, bias: Tensor2D | undefined): Tensor4D {
  if (bias === undefined) return x;
  const [batch, heads, nodes, size] = x.shape;
  return linearMap(
    [x, bias],
    ([given, own]) => add(given!, expandDims(own!, 1)),
    (dResult) => {
      const rows = reshape(transpose(dResult, [0, 2, 1, 3]), [batch * nodes, heads * size]);
      return [clone(dResult), reshape(columnSums(rows), [heads, size])];
    },
  );
}

/** `x` itself; the bias is on the tape, and its gradient 0. */
function unmoved(x: Tensor4D, bias: Tensor2D | undefined): Tensor4D {
  if (bias === undefined) return x;
  return linearMap(
    [x, bias],
    ([given]) => clone(given!),
    (dResult) => [clone(dResult), zeros(bias.shape)],
  );
}

/** `x [batch, nodes, rank]` times a weight per head and rank: `[batch, heads, nodes, rank]`. */
function mixed(x: Tensor3D, mixing: Tensor2D): Tensor4D {
  const [batch, nodes, rank] = x.shape;
  const heads = mixing.shape[0];
  return differentiable(
    [x, mixing],
    ([given, own]) => mul(expandDims(given!, 1), expandDims(own!, 1)),
    (dResult, [given, own]) => {
      const products = mul(dResult, expandDims(given!, 1));
      const rows = reshape(transpose(products, [0, 2, 1, 3]), [batch * nodes, heads * rank]);
      return [sum(mul(dResult, expandDims(own!, 1)), 1), reshape(columnSums(rows), [heads, rank])];
    },
  );
}
