import { bindShapes, checkOptions, checkTensor, matMul, OptionError } from '@mixfold/tensor-ops';
import { mul, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { lowRankParameter, type Parameter } from '../parameter/parameter';
import { parameterTensor } from '../parameter/parameter-tensor';
import { linearMap } from '../tape/linear-map';
import { combined, copied, permuted, viewAs } from '../tape/views';

/** The weights of a multi-head attention, as two frameworks keep them. */
export interface AttentionWeights {
  /** `[dim, heads headDim]`, what x is multiplied by on the right; of PyTorch `[heads headDim, dim]`; of Keras `[dim, heads, headDim]`. */
  readonly wq: Tensor;
  /** As `wq`, from the dimension of the keys. */
  readonly wk: Tensor;
  /** As `wq`, from the dimension of the values. */
  readonly wv: Tensor;
  /** `[heads headDim, outputDim]`; of PyTorch `[outputDim, heads headDim]`; of Keras `[heads, headDim, outputDim]`. */
  readonly wo: Tensor;
  /** `[heads headDim]`, of Keras `[heads, headDim]`; so are `bk` and `bv`. */
  readonly bq?: Tensor | undefined;
  /** Changes nothing in the result: a softmax does not see what all its scores share. */
  readonly bk?: Tensor | undefined;
  readonly bv?: Tensor | undefined;
  /** `[outputDim]`. */
  readonly bo?: Tensor1D | undefined;
  readonly heads: number;
  /** `'matrix'` (default): products `x w`. `'torch'`: `nn.Linear` weights, `x w^T`; `in_proj_weight` is wq, wk and wv one below the other. `'keras'`. */
  readonly layout?: 'matrix' | 'torch' | 'keras' | undefined;
}

/** A multi-head attention as a structured convolution. */
export interface MixedProductAttention {
  /** For `attentionBasis`: `keyWeights`, `queryWeights` of each head and the query bias. The default temperature is that of the attention. */
  readonly scores: { readonly keyWeights: Tensor3D; readonly queryWeights: Tensor3D; readonly queryBias?: Tensor2D };
  /** `[heads, keyDim, queryDim]`: `W_K,k W_Q,k^T / sqrt(headDim)`, keys on the left. Without the query bias. */
  lambda(): Tensor3D;
  /** `Theta_k = W_V,k W_O,k` in factors, for `generalizedConvolution`. */
  readonly parameter: Parameter;
  /** `[heads, valueDim, outputDim]`: the same as one tensor. */
  theta(): Tensor3D;
  /** `[outputDim]`: the output bias and what the value bias becomes, for the weights of every target sum to 1. Undefined if there is neither. */
  readonly bias?: Tensor1D;
}

const rules = {
  wq: 'tensor',
  wk: 'tensor',
  wv: 'tensor',
  wo: 'tensor',
  bq: 'tensor',
  bk: 'tensor',
  bv: 'tensor',
  bo: 'tensor',
  heads: 'positiveInteger',
  layout: ['matrix', 'torch', 'keras'],
} as const;

/**
 * A multi-head attention as a structured convolution over `attentionBasis`: `y = sum_k A_k^T x (W_V,k W_O,k) + bias`.
 *
 * @param weights - `wq`, `wk`, `wv`, `wo`, `bq?`, `bk?`, `bv?`, `bo?`, `heads`, and the `layout` they are in.
 * @returns Scores, parameter and bias; new tensors, which the caller disposes (`lambda()` and `theta()` make more). Differentiable in the weights.
 * @throws ShapeError if the weights disagree or the heads do not divide them; OptionError; DTypeError.
 * @remarks The key bias is dropped: its gradient is exactly 0. The value bias joins the output bias, which holds while every target sees something and
 *   no attention weight is dropped.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const { scores, parameter, bias } = multiHeadAttentionToMixedProduct({ wq, wk, wv, wo, bq, bv, bo, heads: 8, layout: 'torch' });
 * const y = generalizedConvolution(x, attentionBasis({ keyInput: x, queryInput: x, scores }), parameter, { bias });
 */
export function multiHeadAttentionToMixedProduct(weights: AttentionWeights): MixedProductAttention {
  checkOptions('multiHeadAttentionToMixedProduct', weights, rules);
  const { heads, layout = 'matrix' } = weights;
  if (heads === undefined) throw new OptionError('multiHeadAttentionToMixedProduct: option heads is needed');
  for (const name of ['wq', 'wk', 'wv', 'wo'] as const)
    checkTensor('multiHeadAttentionToMixedProduct', name, weights[name], ['float32']);
  const read = reader(weights, layout, heads);
  const { queryWeights, keyWeights, valueWeights, outputWeights } = tidy(() => ({
    queryWeights: read.input('wq'),
    keyWeights: read.input('wk'),
    valueWeights: read.input('wv'),
    outputWeights: read.output(),
  }));
  const size = keyWeights.shape[2];
  bindShapes('multiHeadAttentionToMixedProduct', {
    wq: [queryWeights, 'heads queryDim headDim'],
    wk: [keyWeights, 'heads keyDim headDim'],
    wv: [valueWeights, 'heads valueDim valueHeadDim'],
    wo: [outputWeights, 'heads outputDim valueHeadDim'],
    ...(weights.bo ? { bo: [weights.bo, 'outputDim'] as const } : {}),
  } as Record<string, readonly [Tensor, string]>);
  const parameter = lowRankParameter({ u: valueWeights, v: outputWeights });
  const queryBias = read.bias('bq');
  const bias = outputBias(read.bias('bv'), outputWeights, weights.bo);
  return {
    scores: { keyWeights, queryWeights, ...(queryBias ? { queryBias } : {}) },
    lambda: () =>
      tidy(() => {
        const product = parameterTensor(lowRankParameter({ u: keyWeights, v: queryWeights }));
        const scale = 1 / Math.sqrt(size);
        return linearMap<Tensor3D>(
          [product],
          ([given]) => mul(given!, scale),
          (dResult) => [mul(dResult, scale)],
        );
      }),
    parameter,
    theta: () => parameterTensor(parameter),
    ...(bias ? { bias } : {}),
  };
}

/** The weights per head, whatever the layout. */
function reader(weights: AttentionWeights, layout: 'matrix' | 'torch' | 'keras', heads: number) {
  const split = (name: string, width: number): number => {
    if (width % heads === 0) return width / heads;
    throw new OptionError(
      `multiHeadAttentionToMixedProduct: heads must divide the columns of ${name}, got ${heads} and ${width}`,
    );
  };
  const ranked = (name: 'wq' | 'wk' | 'wv' | 'wo'): Tensor => {
    const axes = layout === 'keras' ? (name === 'wo' ? 'heads headDim dim' : 'dim heads headDim') : 'rows columns';
    bindShapes('multiHeadAttentionToMixedProduct', { [name]: [weights[name], axes] } as Record<
      string,
      readonly [Tensor, string]
    >);
    return weights[name];
  };
  return {
    /** `[heads, dim, headDim]`. */
    input(name: 'wq' | 'wk' | 'wv'): Tensor3D {
      const w = ranked(name);
      if (layout === 'keras') return permuted(w, [1, 0, 2]);
      const [rows, columns] = w.shape as [number, number];
      if (layout === 'torch') return permuted(viewAs(w, [heads, split(name, rows), columns]), [0, 2, 1]);
      return permuted(viewAs(w, [rows, heads, split(name, columns)]), [1, 0, 2]);
    },
    /** `[heads, outputDim, headDim]`. */
    output(): Tensor3D {
      const w = ranked('wo');
      if (layout === 'keras') return permuted(w, [0, 2, 1]);
      const [rows, columns] = w.shape as [number, number];
      if (layout === 'torch') return permuted(viewAs(w, [rows, heads, split('wo', columns)]), [1, 0, 2]);
      return permuted(viewAs(w, [heads, split('wo', rows), columns]), [0, 2, 1]);
    },
    /** `[heads, headDim]`. */
    bias(name: 'bq' | 'bv'): Tensor2D | undefined {
      const b = weights[name];
      if (b === undefined) return undefined;
      checkTensor('multiHeadAttentionToMixedProduct', name, b, ['float32']);
      return b.rank === 2 ? copied(b as Tensor2D) : viewAs<Tensor2D>(b, [heads, split(name, b.size)]);
    },
  };
}

/** `bo + sum_k W_O,k^T bv_k`. */
function outputBias(valueBias: Tensor2D | undefined, outputWeights: Tensor3D, bo: Tensor1D | undefined): Tensor1D | undefined {
  if (valueBias === undefined) return bo && copied(bo);
  const [heads, dim, size] = outputWeights.shape;
  return tidy(() => {
    const wide = viewAs(permuted(outputWeights, [1, 0, 2]), [dim, heads * size]);
    const own = viewAs<Tensor1D>(matMul(wide, viewAs(valueBias, [heads * size, 1])), [dim]);
    return bo === undefined ? own : combined(1, own, 1, bo);
  });
}
