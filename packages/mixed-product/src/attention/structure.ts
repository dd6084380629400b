import { bindShapes, checkOptions, checkTensor, matMul, OptionError } from '@mixfold/tensor-ops';
import { add, expandDims, mul, sum, type Tensor, type Tensor2D, type Tensor3D, type Tensor4D } from '@tensorflow/tfjs-core';
import { differentiable, linearMap } from '../tape/linear-map';
import { combined, concatenated, permuted, sliced, spreadAlong, viewAs } from '../tape/views';
import { relativeScores } from './relative-scores';
import type { ScoreOptions } from './scores';

/** Features of pairs that take part in the scores, freely given or by the offset of the pair. */
export type StructureOptions = PairFeatures | RelativePositions;

/** `K'_mn = z_mn W_K'`, `Q'_mn = z_mn W_Q'`; either may be left out. */
export interface PairFeatures {
  /** z: `[target, source, features]` or `[batch, target, source, features]`; with edges `[edges, features]`. */
  readonly features: Tensor;
  /** `[heads, features, headDim]`. */
  readonly keyWeights?: Tensor3D | undefined;
  /** `[heads, features, headDim]`. */
  readonly queryWeights?: Tensor3D | undefined;
}

/** Vectors by offset d = target - source; row d + source - 1 of a table of `source + target - 1` rows. */
export interface RelativePositions {
  /** K' of a pair, `[offsets, headDim]` or `[heads, offsets, headDim]`: what Shaw and Transformer-XL compare queries with. */
  readonly keyTable?: Tensor2D | Tensor3D | undefined;
  /** Q' of a pair, the same shapes. */
  readonly queryTable?: Tensor2D | Tensor3D | undefined;
  /** `[heads, headDim]`: takes the place of the query bias where queries meet `keyTable`. Transformer-XL's v, beside `queryBias` as its u. */
  readonly positionBias?: Tensor2D | undefined;
}

/**
 * What structure adds to the scores, `[batch, heads, target, source]`, times `scale`: `<K_m | Q'_mn> + <K'_mn | Q_n> + <K'_mn | Q'_mn>`. The features
 * meet keys and queries through their weights, so that no vector per pair and head is made.
 */
export function structureScores(
  structure: StructureOptions,
  key: Tensor4D,
  query: Tensor4D,
  scores: ScoreOptions,
  scale: number,
): Tensor4D {
  const parts =
    'features' in structure
      ? featureScores(structure, key, query)
      : relativeScores(checkRelative(structure, key, query), key, query, 'queryBias' in scores ? scores.queryBias : undefined);
  let total = parts[0]!;
  for (const part of parts.slice(1)) total = combined(1, total, 1, part);
  return linearMap(
    [total],
    ([given]) => mul(given!, scale),
    (dResult) => [mul(dResult, scale)],
  );
}

/** Whether queries differ from source to source. */
export const movesQueries = (structure: StructureOptions | undefined): boolean =>
  structure !== undefined &&
  ('features' in structure ? structure.queryWeights !== undefined : structure.queryTable !== undefined);

function featureScores(structure: PairFeatures, key: Tensor4D, query: Tensor4D): Tensor4D[] {
  const { features, keyWeights, queryWeights } = checkFeatures(structure, key, query);
  const [batch, heads, source, size] = key.shape;
  const target = query.shape[2];
  const isShared = features.rank === 3;
  const samples = isShared ? 1 : batch;
  const count = features.shape.at(-1)!;
  const pairs = viewAs<Tensor4D>(features, [samples, target, source, count]);
  /** `[batch, heads, nodes, size]` in terms of features, `[samples, nodes, features, batch / samples heads]`. */
  const against = (nodes: Tensor4D, weights: Tensor3D, length: number): Tensor => {
    const byHead = viewAs(permuted(nodes, [1, 0, 2, 3]), [heads, batch * length, size]);
    const met = viewAs(matMul(byHead, weights, { transposeB: true }), [heads, samples, batch / samples, length * count]);
    const last = permuted(met, [1, 3, 2, 0]);
    return viewAs(last, [samples * length, count, (batch / samples) * heads]);
  };
  const parts: Tensor4D[] = [];
  if (queryWeights !== undefined) {
    const own = viewAs(permuted(pairs, [0, 2, 1, 3]), [samples * source, target, count]);
    const met = viewAs(matMul(own, against(key, queryWeights, source)), [samples, source, target, (batch / samples) * heads]);
    parts.push(viewAs(permuted(met, [0, 3, 2, 1]), [batch, heads, target, source]));
  }
  if (keyWeights !== undefined) {
    const own = viewAs(pairs, [samples * target, source, count]);
    const met = viewAs(matMul(own, against(query, keyWeights, target)), [samples, target, source, (batch / samples) * heads]);
    parts.push(viewAs(permuted(met, [0, 3, 1, 2]), [batch, heads, target, source]));
  }
  if (keyWeights !== undefined && queryWeights !== undefined) {
    const form = matMul(keyWeights, queryWeights, { transposeB: true });
    const rows = viewAs<Tensor2D>(pairs, [samples * target * source, count]);
    const each = Array.from({ length: heads }, (_, k) => {
      const own = viewAs<Tensor2D>(sliced(form, 0, k, 1), [count, count]);
      return viewAs<Tensor4D>(quadratic(rows, own), [samples, 1, target, source]);
    });
    const own = concatenated<Tensor4D>(each, 1);
    parts.push(samples === batch ? own : spreadAlong(viewAs(own, [heads, target, source]), 0, batch));
  }
  return parts;
}

/** `z_i^T G z_i` for every row. */
export function quadratic(rows: Tensor2D, form: Tensor2D): Tensor {
  return differentiable(
    [rows, form],
    ([z, g]) => sum(mul(matMul(z!, g!), z!), 1),
    (dResult, [z, g]) => {
      const weighted = mul(z!, expandDims(dResult, 1));
      return [add(matMul(weighted, g!), matMul(weighted, g!, { transposeB: true })), matMul(z!, weighted, { transposeA: true })];
    },
  );
}

function checkFeatures(structure: PairFeatures, key: Tensor4D, query: Tensor4D): PairFeatures {
  checkOptions('attentionBasis structure', structure, { features: 'tensor', keyWeights: 'tensor', queryWeights: 'tensor' });
  const { features, keyWeights, queryWeights } = structure;
  if (keyWeights === undefined && queryWeights === undefined) {
    throw new OptionError('attentionBasis: structure needs keyWeights, queryWeights or both');
  }
  checkTensor('attentionBasis', 'features', features, ['float32']);
  bindShapes('attentionBasis', {
    key: [key, 'batch heads source headDim'],
    query: [query, 'batch heads target headDim'],
    features: [features, features.rank === 3 ? 'target source features' : 'batch target source features'],
    ...weightAxes(keyWeights, queryWeights),
  } as unknown as Record<string, readonly [Tensor, string]>);
  return structure;
}

/** The contracts of weights of features. */
export const weightAxes = (keyWeights: Tensor3D | undefined, queryWeights: Tensor3D | undefined) => ({
  ...(keyWeights ? { 'structure.keyWeights': [keyWeights, 'heads features headDim'] as const } : {}),
  ...(queryWeights ? { 'structure.queryWeights': [queryWeights, 'heads features headDim'] as const } : {}),
});

function checkRelative(structure: RelativePositions, key: Tensor4D, query: Tensor4D): RelativePositions {
  checkOptions('attentionBasis structure', structure, { keyTable: 'tensor', queryTable: 'tensor', positionBias: 'tensor' });
  const { keyTable, queryTable, positionBias } = structure;
  if (keyTable === undefined && queryTable === undefined) {
    throw new OptionError('attentionBasis: structure needs features, or keyTable, queryTable or both');
  }
  if (positionBias !== undefined && keyTable === undefined) {
    throw new OptionError('attentionBasis: positionBias meets the keyTable, which is not there');
  }
  const offsets = key.shape[2] + query.shape[2] - 1;
  const axes = (table: Tensor | undefined) =>
    table === undefined ? {} : [table, table.rank === 2 ? 'offsets headDim' : 'heads offsets headDim'];
  bindShapes('attentionBasis', {
    key: [key, 'batch heads source headDim'],
    query: [query, 'batch heads target headDim'],
    pairs: [{ shape: [offsets] }, 'offsets'],
    ...(keyTable ? { keyTable: axes(keyTable) } : {}),
    ...(queryTable ? { queryTable: axes(queryTable) } : {}),
    ...(positionBias ? { positionBias: [positionBias, 'heads headDim'] } : {}),
  } as unknown as Record<string, readonly [Tensor, string]>);
  return structure;
}
