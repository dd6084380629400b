import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { mixerNames, mixerOptions } from './mixers';
import { type AttentionConfig, type PositionKind, positionKinds } from './position';
import { type ShiftConfig, type ShiftParameter, shiftParameters } from './shift-parameter';

/** Sizes of a byte-level language model. */
export interface LanguageModelConfig {
  /** How tokens see earlier ones; default `'aft-simple'`. */
  mixer?: string;
  /** Width of the residual stream; default 128. */
  dim?: number;
  /** Number of blocks; default 3. */
  layers?: number;
  /** Width of the MLP in units of `dim`; default 4. */
  expansion?: number;
  /** Whether the head is the embedding transposed; default false. */
  tiedHead?: boolean;
  /** Of `'mhsa'` and `'shift+mhsa'`: heads in all, which divide `dim`; default 4. */
  heads?: number;
  /** Of `'mhsa'` and `'shift+mhsa'`: how attention knows where tokens are; default `'rotary'` for the first, `'none'` for the second. */
  position?: PositionKind;
  /** Of `'mhsa'` and `'shift+mhsa'` with `'learned'` positions: the longest text; default 128. */
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
export type ModelConfig = Required<Pick<LanguageModelConfig, 'mixer' | 'dim' | 'layers' | 'expansion' | 'tiedHead'>> &
  Partial<AttentionConfig> &
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
    expansion: 'positiveInteger',
    tiedHead: 'boolean',
    heads: 'positiveInteger',
    position: positionKinds,
    maxLength: 'positiveInteger',
    shiftHeads: 'positiveInteger',
    terms: 'positiveInteger',
    parameter: shiftParameters,
    rank: 'positiveInteger',
  });
  const { mixer = 'aft-simple', dim = 128, layers = 3, expansion = 4, tiedHead = false } = config;
  const own = mixerOptions(mixer);
  for (const name of ['heads', 'position', 'maxLength', 'shiftHeads', 'terms', 'parameter', 'rank'] as const) {
    if (config[name] !== undefined && !own.includes(name)) {
      throw new OptionError(`languageModel: the mixer '${mixer}' has no option ${name}`);
    }
  }
  const parsed: ModelConfig = { mixer, dim, layers, expansion, tiedHead };
  if (own.includes('terms')) return { ...parsed, ...shiftConfig(config) };
  if (!own.includes('heads')) return parsed;

  const { heads = 4, position = mixer === 'mhsa' ? 'rotary' : 'none', maxLength = 128 } = config;
  const shiftHeads = own.includes('shiftHeads') ? (config.shiftHeads ?? Math.floor(heads / 2)) : 0;
  if (dim % heads !== 0) throw new OptionError(`languageModel: option heads must divide dim, ${dim}, got ${heads}`);
  if (own.includes('shiftHeads') && (shiftHeads < 1 || shiftHeads >= heads)) {
    throw new OptionError(
      `languageModel: option shiftHeads must leave a head of each kind among the ${heads}, got ${shiftHeads}`,
    );
  }
  if (position === 'rotary' && (dim / heads) % 2 !== 0) {
    throw new OptionError(
      `languageModel: option position 'rotary' turns pairs of channels, but a head has ${dim / heads}; take fewer heads or other positions`,
    );
  }
  return { ...parsed, heads, position, maxLength, shiftHeads };
}

function shiftConfig({ terms = 8, parameter = 'full', rank }: LanguageModelConfig): ShiftConfig {
  const hasRank = parameter === 'lowRank' || parameter === 'cp';
  if (hasRank && rank === undefined) {
    throw new OptionError(`languageModel: option rank is missing; the parameter '${parameter}' has one`);
  }
  if (!hasRank && rank !== undefined) throw new OptionError(`languageModel: the parameter '${parameter}' has no option rank`);
  return { terms, parameter, ...(rank === undefined ? {} : { rank }) };
}
