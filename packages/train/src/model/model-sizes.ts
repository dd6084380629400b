import type { ImageModelConfig } from './image-model-config';
import type { LanguageModelConfig } from './language-model-config';

/** The public CRATE: 224 x 224, patches of 16, 1000 classes, a class token, an output of its own. */
const crate = { mixer: 'crate', imageSize: 224, patchSize: 16, classes: 1000, output: 'untied', layers: 12 } as const;

/** GPT-2's tokens, rounded up as is usual, and a head that is the embedding. */
const gpt = { classes: 50304, tiedHead: true, position: 'learned', maxLength: 1024, feedForward: 'none' } as const;

/**
 * Image models by name, to be spread into a configuration. Weights: `crate-t` 6.09, `crate-s` 13.12, `crate-b` 22.80, `crate-l` 77.64 million, as published.
 *
 * **The shapes of the `aot` models are inferred**: published are only their totals, 22 million weights with subspace attention and 15 million with ordinary attention, and others fit
 * them as well (40 layers of width 512 for the first). Layer norms are as in CRATE; the paper's authors also describe attention-only models of images without them.
 *
 * @see Yu et al. 2023, https://arxiv.org/abs/2306.01129; Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const model = imageModel({ ...imageModelSizes['crate-s'], classes: 10, imageSize: 32, patchSize: 4 });
 */
export const imageModelSizes = {
  'crate-t': { ...crate, dim: 384, heads: 6 },
  'crate-s': { ...crate, dim: 576, heads: 12 },
  'crate-b': { ...crate, dim: 768, heads: 12 },
  'crate-l': { ...crate, dim: 1024, heads: 16, layers: 24 },
  'aot-mssa-v': { ...crate, mixer: 'mssa', dim: 384, heads: 6, layers: 72 },
  'aot-mhsa-v': {
    mixer: 'mhsa',
    feedForward: 'none',
    imageSize: 224,
    patchSize: 16,
    classes: 1000,
    dim: 384,
    heads: 6,
    layers: 24,
  },
} satisfies Record<string, ImageModelConfig>;

/**
 * Attention-only language models by name, to be spread into a configuration. **Their shapes are inferred**: published are only their totals, 102, 182 and 122 million weights.
 *
 * `aot-mssa-base` and `aot-mssa-medium` have the widths and depths of GPT-2 medium and large with an output of their own, 2 dim^2 weights per layer: 102 and 182 million, if, as
 * is usual, the table of positions is not counted; twice as many layers with a tied output fit too. `aot-mhsa-base` has GPT-2's width and 35 layers, 121 million without and 122
 * million with that table; no shape fits the statement that it is GPT-2 base without its MLPs, which would have 67 million.
 *
 * @see Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const model = languageModel({ ...languageModelSizes['aot-mssa-base'], classes: 256 });
 */
export const languageModelSizes = {
  'aot-mssa-base': { ...gpt, mixer: 'mssa', output: 'untied', dim: 1024, heads: 16, layers: 24 },
  'aot-mssa-medium': { ...gpt, mixer: 'mssa', output: 'untied', dim: 1280, heads: 20, layers: 36 },
  'aot-mhsa-base': { ...gpt, mixer: 'mhsa', dim: 768, heads: 12, layers: 35 },
} satisfies Record<string, LanguageModelConfig>;
