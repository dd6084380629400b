import { bindShapes, checkOptions, checkTensor, matMul, OptionError } from '@mixfold/tensor-ops';
import { mul, type Tensor, type Tensor2D, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { checkSameLength, type Indices, readIndices } from '../basis/edge-indices';
import { basisOfEdges, edgesForTerms, weightsOf } from '../basis/sparse-basis';
import { type EdgeLists, edgeLists } from '../sparse-product/edge-lists';
import { edgeProduct, edgeSoftmax } from '../sparse-product/edge-maps';
import { linearMap } from '../tape/linear-map';
import { combined, permuted, spreadAlong, viewAs } from '../tape/views';
import type { AttentionBasisOptions } from './attention-basis';
import { spreadTo } from './dense-attention';
import { comparisonOf } from './scores';
import { movesQueries, type PairFeatures, weightAxes } from './structure';

type Options = AttentionBasisOptions & { readonly edges: { readonly source: Indices; readonly target: Indices } };

/** Attention along edges alone: scores, softmax and sums per edge. */
export function edgeAttention(options: Options, heads: number): ConvolutionBasis {
  const { keyInput, queryInput, scores, edges, bias, structure } = options;
  checkOptions('attentionBasis edges', edges, { source: 'unchecked', target: 'unchecked' });
  const [batch, inputSize] = keyInput.shape;
  const outputSize = queryInput.shape[1];
  const source = readIndices('attentionBasis', 'edges.source', edges.source, inputSize, 'source');
  const target = readIndices('attentionBasis', 'edges.target', edges.target, outputSize, 'target');
  checkSameLength('attentionBasis', { 'edges.source': source, 'edges.target': target });
  const count = source.length;
  if (bias !== undefined) {
    bindShapes('attentionBasis', {
      edges: [{ shape: [batch, count, heads] }, 'batch edges heads'],
      bias: [bias, bias.rank === 3 ? 'batch edges heads' : 'edges heads'],
    });
  }
  if (structure !== undefined) checkEdgeFeatures(structure, count, heads, scores);
  const ends = edgesForTerms(source, target, heads);
  return basisOfEdges('attentionBasis', { ...ends, inputSize, outputSize, terms: heads }, (each) => {
    const weights = tidy(() => {
      const { key, query, temperature } = comparisonOf(keyInput, queryInput, scores, movesQueries(structure));
      const [left, right] = [byNode(key, heads), byNode(query, heads)];
      let total = edgeProduct(left, right, each);
      if (structure !== undefined) {
        for (const part of featureProducts(structure as PairFeatures, left, right, each)) total = combined(1, total, 1, part);
      }
      const scale = 1 / (options.temperature ?? temperature);
      const scaled = linearMap<Tensor2D>(
        [total],
        ([given]) => mul(given!, scale),
        (dResult) => [mul(dResult, scale)],
      );
      if (bias === undefined) return edgeSoftmax(scaled, each);
      const flat = viewAs(bias, [bias.rank === 3 ? batch : 1, count * heads]);
      return edgeSoftmax(combined(1, scaled, 1, spreadTo<Tensor2D>(flat, [batch, count * heads])), each);
    });
    return weightsOf(weights, true);
  });
}

/** `[batch, heads or 1, nodes, size]` as rows of nodes and heads, `[batch, nodes heads, size]`. */
function byNode(x: Tensor4D, heads: number): Tensor3D {
  const [batch, own, nodes, size] = x.shape;
  const all = own === heads ? x : spreadAlong<Tensor4D>(viewAs(x, [batch, nodes, size]), 1, heads);
  return viewAs(permuted(all, [0, 2, 1, 3]), [batch, nodes * heads, size]);
}

/** `<K | Q'>`, `<K' | Q>` and `<K' | Q'>` along the edges, whose features are nodes of their own there. */
function featureProducts(
  { features, keyWeights, queryWeights }: PairFeatures,
  key: Tensor3D,
  query: Tensor3D,
  each: EdgeLists,
): Tensor2D[] {
  const batch = key.shape[0];
  const [edges] = features.shape as [number];
  const own = (weights: Tensor3D): Tensor3D => {
    const [heads, count, size] = weights.shape;
    const wide = viewAs(permuted(weights, [1, 0, 2]), [count, heads * size]);
    return spreadAlong(viewAs(matMul(features, wide), [edges * heads, size]), 0, batch);
  };
  // Read on the host before they went to the device: every edge and head is a node on one side or on both.
  const { row, column, rows, columns } = each.sides;
  const itself = Int32Array.from(row, (_, i) => i);
  const [keys, queries] = [keyWeights && own(keyWeights), queryWeights && own(queryWeights)];
  const along = (left: Tensor3D, right: Tensor3D, isLeft: boolean, isRight: boolean) => {
    const sides = {
      row: isRight ? itself : row,
      column: isLeft ? itself : column,
      rows: isRight ? itself.length : rows,
      columns: isLeft ? itself.length : columns,
    };
    return edgeProduct(left, right, edgeLists(sides));
  };
  return [
    ...(queries ? [along(key, queries, false, true)] : []),
    ...(keys ? [along(keys, query, true, false)] : []),
    ...(keys && queries ? [along(keys, queries, true, true)] : []),
  ];
}

function checkEdgeFeatures(structure: object, edges: number, heads: number, scores: AttentionBasisOptions['scores']): void {
  if (!('features' in structure)) {
    throw new OptionError(
      'attentionBasis: relative positions are of all pairs; with edges give structure.features, one row per edge',
    );
  }
  checkOptions('attentionBasis structure', structure, { features: 'tensor', keyWeights: 'tensor', queryWeights: 'tensor' });
  const { features, keyWeights, queryWeights } = structure as PairFeatures;
  if (keyWeights === undefined && queryWeights === undefined) {
    throw new OptionError('attentionBasis: structure needs keyWeights, queryWeights or both');
  }
  checkTensor('attentionBasis', 'features', features, ['float32']);
  const size = 'keyWeights' in scores ? scores.keyWeights.shape[2] : 0;
  bindShapes('attentionBasis', {
    edges: [{ shape: [edges, heads, size] }, 'edges heads headDim'],
    features: [features, 'edges features'],
    ...weightAxes(keyWeights, queryWeights),
  } as unknown as Record<string, readonly [Tensor, string]>);
}
