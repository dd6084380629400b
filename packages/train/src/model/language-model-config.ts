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
import { mixerNames, mixerOptions } from './mixers';
import { type AttentionConfig, type PositionKind, positionKinds } from './position';
import { type ShiftConfig, type ShiftParameter, shiftParameters } from './shift-parameter';
import type { SubspaceConfig } from './subspace-mixer';

/** Number of tokens of a byte-level model: every byte is one. */
export const BYTE_CLASSES = 256;

/** Sizes of a language model. */
export interface LanguageModelConfig extends FeedForwardOptions, SubspaceOptions {
  /** How tokens see earlier ones; default `'aft-simple'`. */
  mixer?: string;
  /** Width of the residual stream; default 128. */
  dim?: number;
  /** Number of blocks; default 3. */
  layers?: number;
  /** Tokens that it tells apart; default 256, the bytes. */
  classes?: number;
  /** Whether the head is the embedding transposed; default false. */
  tiedHead?: boolean;
  /** Of `'mhsa'`, `'shift+mhsa'`, `'mssa'` and `'crate'`: heads in all, which divide `dim`; default 4. */
  heads?: number;
  /**
   * Of mixers with heads: how they know where tokens are; default `'rotary'` for `'mhsa'`, `'none'` for `'shift+mhsa'`, `'learned'` for `'mssa'` and `'crate'`, which
   * have `'learned'` and `'none'` alone: turned queries and keys would turn their values too.
   */
  position?: PositionKind;
  /** With `'learned'` positions: the longest text; default 128. */
  maxLength?: number;
  /** Of `'shift+mhsa'`: the heads that look 1, 2, ... tokens back, whatever they hold; default half of all. */
  shiftHeads?: number;
  /** Of `'shift'`: tokens that a token sees, itself included; default 8. */
  terms?: number;
  /** Of `'shift'`: what stands for its matrices; default `'full'`, one per term. */
  parameter?: ShiftParameter;
  /** Of `'shift'` with a parameter `'lowRank'` or `'cp'`: the rank of its factors. */
  rank?: number;
}

/** A configuration with its defaults; options of other mixers are absent. */
export type ModelConfig = Required<Pick<LanguageModelConfig, 'mixer' | 'dim' | 'layers' | 'classes' | 'tiedHead'>> &
  FeedForwardConfig &
  Partial<AttentionConfig> &
  Partial<SubspaceConfig> &
  Partial<ShiftConfig>;

/**
 * Checks a configuration and fills in the defaults.
 *
 * @throws OptionError naming the option and what it takes.
 */
export function parseLanguageModelConfig(config: LanguageModelConfig = {}): ModelConfig {
  checkOptions('languageModel', config, {
    mixer: mixerNames,
    dim: 'positiveInteger',
    layers: 'positiveInteger',
    classes: 'positiveInteger',
    tiedHead: 'boolean',
    ...blockRules,
    heads: 'positiveInteger',
    position: positionKinds,
    maxLength: 'positiveInteger',
    shiftHeads: 'positiveInteger',
    terms: 'positiveInteger',
    parameter: shiftParameters,
    rank: 'positiveInteger',
  });
  const { mixer = 'aft-simple', dim = 128, layers = 3, classes = BYTE_CLASSES, tiedHead = false } = config;
  const own = mixerOptions(mixer);
  const ofMixers = ['heads', 'position', 'maxLength', 'shiftHeads', 'terms', 'parameter', 'rank', ...subspaceOptions] as const;
  for (const name of ofMixers) {
    if (config[name] !== undefined && !own.includes(name)) {
      throw new OptionError(`languageModel: the mixer '${mixer}' has no option ${name}`);
    }
  }
  const parsed: ModelConfig = { mixer, layers, classes, tiedHead, ...feedForwardConfig('languageModel', config, { mixer, dim }) };
  if (own.includes('terms')) return { ...parsed, ...shiftConfig(config) };
  if (own.includes('stepSize')) return { ...parsed, ...causalSubspaceConfig(config, mixer, dim) };
  return own.includes('heads') ? { ...parsed, ...attentionConfig(config, mixer, dim) } : parsed;
}

function attentionConfig(config: LanguageModelConfig, mixer: string, dim: number): AttentionConfig {
  const { heads = 4, position = mixer === 'mhsa' ? 'rotary' : 'none', maxLength = 128 } = config;
  const hasShifts = mixerOptions(mixer).includes('shiftHeads');
  const shiftHeads = hasShifts ? (config.shiftHeads ?? Math.floor(heads / 2)) : 0;
  if (dim % heads !== 0) throw new OptionError(`languageModel: option heads must divide dim, ${dim}, got ${heads}`);
  if (hasShifts && (shiftHeads < 1 || shiftHeads >= heads)) {
    throw new OptionError(
      `languageModel: option shiftHeads must leave a head of each kind among the ${heads}, got ${shiftHeads}`,
    );
  }
  if (position === 'rotary' && (dim / heads) % 2 !== 0) {
    throw new OptionError(
      `languageModel: option position 'rotary' turns pairs of channels, but a head has ${dim / heads}; take fewer heads or other positions`,
    );
  }
  return { heads, position, maxLength, shiftHeads };
}

function causalSubspaceConfig(config: LanguageModelConfig, mixer: string, dim: number) {
  const { position = 'learned', maxLength = 128 } = config;
  if (position !== 'learned' && position !== 'none') {
    throw new OptionError(
      `languageModel: option position of the mixer '${mixer}' must be 'learned' or 'none', for one projection is query, key and value of a head, got '${position}'`,
    );
  }
  return { ...subspaceConfig('languageModel', config, dim), position, maxLength };
}

function shiftConfig({ terms = 8, parameter = 'full', rank }: LanguageModelConfig): ShiftConfig {
  const hasRank = parameter === 'lowRank' || parameter === 'cp';
  if (hasRank && rank === undefined) {
    throw new OptionError(`languageModel: option rank is missing; the parameter '${parameter}' has one`);
  }
  if (!hasRank && rank !== undefined) throw new OptionError(`languageModel: the parameter '${parameter}' has no option rank`);
  return { terms, parameter, ...(rank === undefined ? {} : { rank }) };
}
