import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import {
  blockRules,
  type FeedForwardOptions,
  feedForwardConfig,
  type SubspaceOptions,
  subspaceConfig,
  subspaceOptions,
} from './block-config';
import type { FeedForwardConfig } from './feed-forward';
import type { Extent, PatchConfig } from './patch-embedding';
import type { SubspaceConfig } from './subspace-mixer';

/** Mixers of images: what sees every token at once. */
export const imageMixerNames = ['crate', 'mssa', 'mhsa'] as const;

const poolings = ['cls', 'mean'] as const;

/** Sizes of a vision transformer. */
export interface ImageModelConfig extends FeedForwardOptions, SubspaceOptions {
  /** How patches see each other; default `'crate'`. */
  mixer?: (typeof imageMixerNames)[number];
  /** Height and width of images, or one number for both; default 224. */
  imageSize?: number | Extent;
  /** Height and width of patches, which divide those of images; default 16. */
  patchSize?: number | Extent;
  /** Default 3. */
  channels?: number;
  /** Default 1000. */
  classes?: number;
  /** Width of the residual stream; default 384. */
  dim?: number;
  /** Number of blocks; default 12. */
  layers?: number;
  /** Default 6. */
  heads?: number;
  /** What the head reads: the class token, or the mean of all tokens, the class token among them; default `'cls'`. */
  pooling?: (typeof poolings)[number];
}

/** A configuration with its defaults; options of other mixers are absent. */
export type ImageConfig = Required<Pick<ImageModelConfig, 'mixer' | 'channels' | 'classes' | 'layers' | 'heads' | 'pooling'>> &
  PatchConfig &
  FeedForwardConfig &
  Partial<SubspaceConfig>;

/**
 * Checks a configuration and fills in the defaults.
 *
 * @throws OptionError naming the option and what it takes.
 */
export function parseImageModelConfig(config: ImageModelConfig = {}): ImageConfig {
  checkOptions('imageModel', config, {
    mixer: imageMixerNames,
    imageSize: 'unchecked',
    patchSize: 'unchecked',
    channels: 'positiveInteger',
    classes: 'positiveInteger',
    dim: 'positiveInteger',
    layers: 'positiveInteger',
    heads: 'positiveInteger',
    pooling: poolings,
    ...blockRules,
  });
  const { mixer = 'crate', channels = 3, classes = 1000, dim = 384, layers = 12, heads = 6, pooling = 'cls' } = config;
  const imageSize = extentOf('imageSize', config.imageSize ?? 224);
  const patchSize = extentOf('patchSize', config.patchSize ?? 16);
  for (const axis of [0, 1] as const) {
    if (imageSize[axis] % patchSize[axis] !== 0) {
      throw new OptionError(
        `imageModel: option patchSize must divide imageSize, ${imageSize.join(' x ')}, got ${patchSize.join(' x ')}`,
      );
    }
  }
  const parsed = {
    mixer,
    imageSize,
    patchSize,
    channels,
    classes,
    layers,
    heads,
    pooling,
    ...feedForwardConfig('imageModel', config, { mixer, dim }),
  };
  if (mixer !== 'mhsa') return { ...parsed, ...subspaceConfig('imageModel', { ...config, heads }, dim) };
  for (const name of subspaceOptions) {
    if (config[name] !== undefined) throw new OptionError(`imageModel: the mixer 'mhsa' has no option ${name}`);
  }
  if (dim % heads !== 0) throw new OptionError(`imageModel: option heads must divide dim, ${dim}, got ${heads}`);
  return parsed;
}

function extentOf(name: string, given: number | Extent): Extent {
  const extent = typeof given === 'number' ? [given, given] : given;
  if (Array.isArray(extent) && extent.length === 2 && extent.every((length) => Number.isSafeInteger(length) && length > 0)) {
    return extent as unknown as Extent;
  }
  throw new OptionError(
    `imageModel: option ${name} must be an integer above 0, or two of them, [height, width], got ${JSON.stringify(given)}`,
  );
}
