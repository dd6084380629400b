import { checkOptions } from '@mixfold/tensor-ops';
import { mixerNames } from './mixers';

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
}

/**
 * Checks a configuration and fills in the defaults.
 *
 * @throws OptionError naming the option and what it takes.
 */
export function parseLanguageModelConfig(config: LanguageModelConfig = {}): Required<LanguageModelConfig> {
  checkOptions('languageModel', config, {
    mixer: mixerNames,
    dim: 'positiveInteger',
    layers: 'positiveInteger',
    expansion: 'positiveInteger',
    tiedHead: 'boolean',
  });
  const { mixer = 'aft-simple', dim = 128, layers = 3, expansion = 4, tiedHead = false } = config;
  return { mixer, dim, layers, expansion, tiedHead };
}
