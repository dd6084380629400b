import { checkOptions } from '@mixfold/tensor-ops';
import { mixerNames } from './mixers';

/** Sizes of a byte-level language model. */
export interface LanguageModelConfig {
  /** How tokens see earlier ones. */
  mixer: string;
  /** Width of the residual stream. */
  dim: number;
  /** Number of blocks. */
  layers: number;
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
export function parseLanguageModelConfig(config: LanguageModelConfig): Required<LanguageModelConfig> {
  checkOptions('languageModel', config, {
    mixer: mixerNames,
    dim: 'positiveInteger',
    layers: 'positiveInteger',
    expansion: 'positiveInteger',
    tiedHead: 'boolean',
  });
  return { expansion: 4, tiedHead: false, ...config };
}
