import { matMul, reshape, type Tensor, type Tensor2D, type Tensor4D, transpose } from '@tensorflow/tfjs-core';
import { withBias } from './feed-forward';
import { normalized, planNorm } from './norm';
import type { Params } from './params';
import { constant, type ParamsPlan, uniform } from './weight-plan';

/** Height and width. */
export type Extent = readonly [height: number, width: number];

/** Sizes of an embedding of patches. */
export interface PatchConfig {
  readonly imageSize: Extent;
  readonly patchSize: Extent;
  readonly channels: number;
  readonly dim: number;
}

/** Patches of an image. */
export const patchCount = ({ imageSize: [height, width], patchSize: [rows, columns] }: PatchConfig): number =>
  (height / rows) * (width / columns);

/** Numbers of a patch. */
export const patchLength = ({ patchSize: [rows, columns], channels }: PatchConfig): number => rows * columns * channels;

/** The weights: norm, product with bias, norm, as in the public CRATE. */
export function planPatchEmbedding(config: PatchConfig): ParamsPlan {
  const length = patchLength(config);
  return {
    ...planNorm('patchNorm', length, true),
    weight: uniform([length, config.dim], 1 / Math.sqrt(length)),
    bias: constant([config.dim], 0),
    ...planNorm('norm', config.dim, true),
  };
}

/** Images `[batch, height, width, channels]` as rows `[batch * patches, dim]`, patches line by line. */
export function embedPatches(config: PatchConfig, params: Params, images: Tensor4D): Tensor2D {
  const rows = normalized(patchRows(config, images), params, 'patchNorm');
  return normalized(withBias(matMul(rows, params.weight as Tensor2D), params.bias), params, 'norm');
}

/** The numbers of each patch in a row: line by line, the channels of a pixel next to each other. */
function patchRows(config: PatchConfig, images: Tensor4D): Tensor2D {
  const {
    imageSize: [height, width],
    patchSize: [rows, columns],
    channels,
  } = config;
  const [batch] = images.shape;
  const lines: Tensor = reshape(images, [(batch * height) / rows, rows, width / columns, columns * channels]);
  return reshape(transpose(lines, [0, 2, 1, 3]), [batch * patchCount(config), patchLength(config)]) as Tensor2D;
}
