import { matMul, softmax } from '@mixfold/tensor-ops';
import { broadcastTo, mul, reshape, sum, type Tensor, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from '../basis/convolution-basis';
import { denseSpec } from '../basis/dense-basis';
import { scaledDotProductAttention } from '../scaled-dot-product-attention/scaled-dot-product-attention';
import { linearMap } from '../tape/linear-map';
import { combined, permuted, spreadAlong, summedOver, viewAs } from '../tape/views';
import type { AttentionBasisOptions } from './attention-basis';
import { comparisonOf } from './scores';
import { movesQueries, structureScores } from './structure';

/** Everything a map needs; made once, on the tape of whoever makes the basis. */
interface Attention {
  /** `[batch, heads or 1, source, size]`. */
  readonly key: Tensor4D;
  /** `[batch, heads, target, size]`. */
  readonly query: Tensor4D;
  /** Added to the scores behind the temperature. */
  readonly bias: Tensor | undefined;
  readonly mask: Tensor | undefined;
  readonly scale: number;
}

/** Attention between all inputs and outputs, by `scaledDotProductAttention`: patterns are made only where they are asked for. */
export function denseAttention(options: AttentionBasisOptions, heads: number): ConvolutionBasis {
  const { keyInput, queryInput, scores, mask, structure } = options;
  const [batch, source] = keyInput.shape;
  const target = queryInput.shape[1];
  let scale = 1;
  const own: { key: Tensor4D; query: Tensor4D; bias?: Tensor } = tidy(() => {
    const { key, query, temperature } = comparisonOf(keyInput, queryInput, scores, movesQueries(structure));
    scale = 1 / (options.temperature ?? temperature);
    if (structure === undefined) return { key, query };
    const added = structureScores(structure, key, query, scores, scale);
    if (options.bias === undefined) return { key, query, bias: added };
    return { key, query, bias: combined(1, added, 1, spreadTo<Tensor4D>(options.bias, [batch, heads, target, source])) };
  });
  const attention: Attention = { ...own, scale, mask, bias: own.bias ?? options.bias };
  const dispose = () => {
    for (const tensor of Object.values(own)) tensor.dispose();
  };
  return defineBasis({ ...attentionSpec(attention, heads, source, target, batch), dispose });
}

function attentionSpec(attention: Attention, heads: number, source: number, target: number, batch: number): BasisSpec {
  const { key, query, bias, mask, scale } = attention;
  /** `value [batch, heads or 1, source, channels]` to `[batch, target, heads, channels]`. */
  const attend = (value: Tensor4D): Tensor4D => {
    const shared = Math.max(key.shape[1], value.shape[1]);
    const spread = (x: Tensor4D) =>
      x.shape[1] === shared ? x : spreadAlong<Tensor4D>(viewAs(x, [batch, x.shape[2], x.shape[3]]), 1, shared);
    const options = { scale, ...(bias ? { bias } : {}), ...(mask ? { mask } : {}) };
    return permuted(scaledDotProductAttention(query, spread(key), spread(value), options), [0, 2, 1, 3]);
  };
  const byHead = (h: Tensor4D) => permuted<Tensor4D>(h, [0, 2, 1, 3]);
  const patterns = () => {
    const same = key.shape[1] === heads ? key : spreadAlong<Tensor4D>(viewAs(key, [batch, source, key.shape[3]]), 1, heads);
    const scores = matMul(query, same, { transposeB: true }) as Tensor4D;
    const scaled = linearMap<Tensor4D>(
      [scores],
      ([given]) => mul(given!, scale),
      (dResult) => [mul(dResult, scale)],
    );
    const whole = bias ? combined(1, scaled, 1, spreadTo<Tensor4D>(bias, scores.shape)) : scaled;
    return permuted(softmax(whole, -1, { mask }), [0, 1, 3, 2]);
  };
  return {
    name: 'attentionBasis',
    terms: heads,
    inputSize: source,
    outputSize: target,
    edges: heads * source * target,
    samples: batch,
    apply: (x) => tidy(() => attend(viewAs<Tensor4D>(x, [batch, 1, source, x.shape[2]]))),
    applySum: (h) => tidy(() => summedOver<Tensor3D>(attend(byHead(h)), 2)),
    applyEach: (h) => tidy(() => attend(byHead(h))),
    transposed: () => denseSpec(tidy(patterns), 'attentionBasis', true),
    toDense: () => tidy(patterns),
  };
}

/** `x` repeated to a larger shape, its axes counted from the last. */
export function spreadTo<Result extends Tensor>(x: Tensor, shape: readonly number[]): Result {
  const own = [...new Array<number>(shape.length - x.rank).fill(1), ...x.shape];
  const axes = own.flatMap((size, axis) => (size === 1 && shape[axis] !== 1 ? [axis] : []));
  if (axes.length === 0) return viewAs(x, shape);
  return linearMap(
    [x],
    ([given]) => broadcastTo(given!, [...shape]),
    (dResult) => [reshape(sum(dResult, axes), x.shape)],
  );
}
