import { DTypeError, ShapeError } from '@mixfold/tensor-ops';
import {
  add,
  concat,
  matMul,
  mean,
  reshape,
  slice,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
  tile,
} from '@tensorflow/tfjs-core';
import { attentionMixer } from './attention-mixer';
import { applyBlocks, planBlocks } from './blocks';
import { withBias } from './feed-forward';
import { type ImageConfig, type ImageModelConfig, parseImageModelConfig } from './image-model-config';
import type { Batch, Model } from './model';
import { normalized, planNorm } from './norm';
import type { Params } from './params';
import { embedPatches, patchCount, planPatchEmbedding } from './patch-embedding';
import { layerNotes, type RecordLayer } from './record-layers';
import { type SubspaceConfig, subspaceMixer } from './subspace-mixer';
import type { MixerUse, TokenMixer } from './token-mixer';
import { constant, countPlanned, makeParams, type ParamsPlan, uniform } from './weight-plan';

/** A model of images; `apply` reads float32 `[batch, height, width, channels]` and gives logits `[batch, classes]`. */
export interface ImageModel extends Model<Batch> {
  /** As of every model. With `'mssa'` and `'crate'`, `record` takes every layer as `traceLayers` wants it, and owns the tokens in it. */
  apply(params: Params, batch: Batch, options: { training: boolean; record?: RecordLayer | undefined }): Tensor;
  readonly config: ImageConfig;
  readonly mixer: TokenMixer;
  readonly classes: number;
  /** Number of weights, from their shapes: known before any is made. */
  readonly parameterCount: number;
}

/**
 * Vision transformer: patches, a class token, learned positions, pre-LN blocks, and a head on the class token or the mean of all.
 *
 * Patches are embedded as in the public CRATE, layer norm, product, layer norm; every norm and every output has a bias, as there. The mixer `'crate'` is subspace attention and a
 * step of ISTA, `'mssa'` subspace attention alone, `'mhsa'` softmax attention, with an MLP unless `feedForward` says otherwise. `imageModelSizes` has published ones by
 * name; `readCrateWeights` reads weights of the public CRATE.
 *
 * @throws OptionError if the configuration has an unknown name, or sizes that do not divide.
 * @remarks O(layers (tokens dim^2 + tokens^2 dim)) time, where tokens is the number of patches and 1; memory grows with tokens alone.
 * @see Yu et al. 2023, https://arxiv.org/abs/2306.01129
 * @example
 * const model = imageModel({ ...imageModelSizes['crate-t'], classes: 10 });
 */
export function imageModel(given: ImageModelConfig = {}): ImageModel {
  const config = parseImageModelConfig(given);
  const { dim, channels, classes, imageSize, pooling } = config;
  const mixer = mixerOf(config);
  const plan = planModel(config, mixer);
  const time = patchCount(config) + 1;

  return {
    config,
    mixer,
    classes,
    parameterCount: countPlanned(plan),
    init: (random) => makeParams(plan, random),
    apply: (params, { inputs }, { record }) =>
      tidy(() => {
        checkImages(inputs, [...imageSize, channels]);
        const [batch] = inputs.shape as [number];
        const patches = reshape(embedPatches(config, params.patches as Params, inputs as Tensor4D), [batch, time - 1, dim]);
        const tokens = concat([tile(params.classToken as Tensor3D, [batch, 1, 1]), patches], 1);
        const stream = reshape(add(tokens, params.positions as Tensor2D), [batch * time, dim]) as Tensor2D;
        const sizes = { batch, time };
        const rows = applyBlocks(
          config,
          params.blocks as Params,
          stream,
          (_, weights, normed) => mixer.apply(weights, normed, sizes),
          layerNotes('imageModel', mixer, sizes, record),
        );
        const all = reshape(rows, [batch, time, dim]);
        const pooled = pooling === 'mean' ? mean(all, 1) : reshape(slice(all, [0, 0, 0], [batch, 1, dim]), [batch, dim]);
        return withBias(matMul(normalized(pooled as Tensor2D, params, 'norm'), params.head as Tensor2D), params.headBias);
      }),
  };
}

function mixerOf(config: ImageConfig): TokenMixer {
  const use: MixerUse = { causal: false, hasOutputBias: true };
  if (config.mixer !== 'mhsa') return subspaceMixer(config.dim, config as SubspaceConfig, use);
  return attentionMixer(config.dim, { heads: config.heads, shiftHeads: 0, position: 'none', maxLength: 0 }, use);
}

function planModel(config: ImageConfig, mixer: TokenMixer): ParamsPlan {
  const { dim, classes } = config;
  return {
    patches: planPatchEmbedding(config),
    // Of deviation 1, as in the public CRATE: what they are added to is normalised.
    classToken: uniform([1, 1, dim], 1),
    positions: uniform([patchCount(config) + 1, dim], 1),
    blocks: planBlocks(config, mixer, true),
    ...planNorm('norm', dim, true),
    head: uniform([dim, classes], 0.5 / Math.sqrt(dim)),
    headBias: constant([classes], 0),
  };
}

function checkImages(images: Tensor, [height, width, channels]: number[]): void {
  const [, ...shape] = images.shape;
  if (images.rank !== 4 || shape[0] !== height || shape[1] !== width || shape[2] !== channels) {
    throw new ShapeError(
      `imageModel: images must be [batch, ${height}, ${width}, ${channels}], got [${images.shape.join(', ')}]`,
    );
  }
  if (images.dtype !== 'float32') throw new DTypeError(`imageModel: images must be float32, got ${images.dtype}`);
}
