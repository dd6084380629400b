import { bindShapes, checkOptions, checkTensor, OptionError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import type { Indices } from '../basis/edge-indices';
import { denseAttention } from './dense-attention';
import { edgeAttention } from './edge-attention';
import type { ScoreOptions } from './scores';
import type { StructureOptions } from './structure';

/** What attention is made of, and whom it lets see whom. */
export interface AttentionBasisOptions {
  /** `[batch, source, keyDim]`: the input nodes as keys, x'. */
  readonly keyInput: Tensor3D;
  /** `[batch, target, queryDim]`: the output nodes as queries, y'. */
  readonly queryInput: Tensor3D;
  readonly scores: ScoreOptions;
  /** Attend along these edges alone, from input `source[e]` to output `target[e]`: nothing of the size of a pattern is made. */
  readonly edges?: { readonly source: Indices; readonly target: Indices } | undefined;
  /** Nonzero = attend: `[target, source]`, `[heads, target, source]` or `[batch, heads, target, source]`, where all axes but source may be 1. */
  readonly mask?: Tensor | undefined;
  /** Added to the scores behind the temperature, in nats; the shapes of `mask`. With edges `[edges, heads]` or `[batch, edges, heads]`. */
  readonly bias?: Tensor | undefined;
  /** What the scores are divided by. Default: 1 for `lambda` and for `{u, mixing, v}`, whose factors hold it; the root of the head size else. */
  readonly temperature?: number | undefined;
  /** Features of pairs in the scores: `S_mn = <K_m + K'_mn | Q_n + Q'_mn>`. */
  readonly structure?: StructureOptions | undefined;
}

const rules = {
  keyInput: 'tensor',
  queryInput: 'tensor',
  scores: 'unchecked',
  edges: 'unchecked',
  mask: 'tensor',
  bias: 'tensor',
  temperature: 'positive',
  structure: 'unchecked',
} as const;

/**
 * Attention as a basis whose graphs depend on the input: a term per head, a softmax over the inputs for every output.
 *
 * $$ A_k = \mathrm{softmax}_m \left( \frac{x' \Lambda_k\, y'^\top}{\tau} + b_k \right), \qquad S_{mn} = \langle K_m + K'_{mn} \mid Q_n + Q'_{mn} \rangle $$
 *
 * With `Theta_k = W_V,k W_O,k` the convolution over it is multi-head attention. `A_k[m, n]` has the input, the key, first: the transpose of a pattern
 * `[query, key]`; `Lambda_k` has keys on the left, `W_K,k W_Q,k^T / sqrt(p)`. Masks, biases and features of pairs are given as patterns are, `[target, source]`.
 *
 * @param options - `keyInput`, `queryInput`, and the scores: `{lambda [heads, keyDim, queryDim]}`, `{keyWeights [heads, keyDim, headDim], queryWeights
 *   [heads, queryDim, headDim], keyBias?, queryBias? [heads, headDim]}`, or `{u [keyDim, rank], mixing [heads, rank], v [queryDim, rank]}`, whose heads share
 *   their projections. `edges`, `mask`, `bias`, `temperature`, `structure`.
 * @returns The basis, of the samples of the batch; differentiable in inputs, scores, bias and structure. An output that sees nothing receives 0.
 * @throws ShapeError if the arguments disagree; OptionError for an unknown option or an edge out of range; DTypeError.
 * @remarks Maps run `scaledDotProductAttention`: O(source target) time per channel and memory for the keys, queries and channels; no pattern is made but by
 *   `toDense` and `transposed`, `[batch, heads, source, target]`. Along edges O(edges heads). A key bias changes nothing, and its gradient is 0.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289; Cordonnier et al. 2020, https://arxiv.org/abs/2006.16362 (shared projections); Drakulic et al. 2025,
 *   https://arxiv.org/abs/2406.15079, eq. 1b (features of pairs); Shaw et al. 2018, https://arxiv.org/abs/1803.02155
 * @example
 * const basis = attentionBasis({ keyInput: x, queryInput: x, scores: { keyWeights, queryWeights } });
 * const y = generalizedConvolution(x, basis, lowRankParameter({ u: valueWeights, v: outputWeights }));
 */
export function attentionBasis(options: AttentionBasisOptions): ConvolutionBasis {
  checkOptions('attentionBasis', options, rules);
  const { keyInput, queryInput, scores, edges, bias, mask, structure } = options;
  checkTensor('attentionBasis', 'keyInput', keyInput, ['float32']);
  checkTensor('attentionBasis', 'queryInput', queryInput, ['float32']);
  if (bias !== undefined) checkTensor('attentionBasis', 'bias', bias, ['float32']);
  if (typeof scores !== 'object' || scores === null) throw new OptionError('attentionBasis: option scores is needed');
  const heads = checkScores(keyInput, queryInput, scores);
  if (structure !== undefined && !('keyWeights' in scores)) {
    throw new OptionError('attentionBasis: structure needs keys and queries of each head; give keyWeights and queryWeights');
  }
  if (edges === undefined) return denseAttention(options, heads);
  if (mask !== undefined) throw new OptionError('attentionBasis: edges say who sees whom; leave the mask out, or the edges');
  return edgeAttention({ ...options, edges }, heads);
}

/** The number of heads. */
function checkScores(keyInput: Tensor3D, queryInput: Tensor3D, scores: ScoreOptions): number {
  const inputs = { keyInput: [keyInput, 'batch source keyDim'], queryInput: [queryInput, 'batch target queryDim'] } as const;
  const own: Record<string, readonly [Tensor, string]> = {};
  const add = (name: string, tensor: Tensor | undefined, axes: string) => {
    if (tensor === undefined) return;
    checkTensor('attentionBasis', name, tensor, ['float32']);
    own[name] = [tensor, axes];
  };
  const known = ['lambda', 'keyWeights', 'queryWeights', 'keyBias', 'queryBias', 'u', 'mixing', 'v'];
  checkOptions('attentionBasis scores', scores, Object.fromEntries(known.map((name) => [name, 'tensor'])));
  if ('lambda' in scores) add('lambda', scores.lambda, 'heads keyDim queryDim');
  else if ('keyWeights' in scores) {
    add('keyWeights', scores.keyWeights, 'heads keyDim headDim');
    add('queryWeights', scores.queryWeights, 'heads queryDim headDim');
    add('keyBias', scores.keyBias as Tensor2D | undefined, 'heads headDim');
    add('queryBias', scores.queryBias as Tensor2D | undefined, 'heads headDim');
  } else {
    add('u', scores.u, 'keyDim rank');
    add('mixing', scores.mixing, 'heads rank');
    add('v', scores.v, 'queryDim rank');
  }
  const needed = 'lambda' in scores ? ['lambda'] : 'keyWeights' in scores ? ['keyWeights', 'queryWeights'] : ['u', 'mixing', 'v'];
  const missing = needed.filter((name) => own[name] === undefined);
  if (missing.length > 0) {
    throw new OptionError(
      `attentionBasis: scores must be {lambda}, {keyWeights, queryWeights, keyBias?, queryBias?} or {u, mixing, v}; there is no ${missing.join(', ')}`,
    );
  }
  const sizes = bindShapes('attentionBasis', { ...inputs, ...own }) as unknown as { heads: number };
  if (sizes.heads === 0) throw new OptionError('attentionBasis: there must be at least one head');
  return sizes.heads;
}
