import { aftSimpleMixer } from './aft-simple-mixer';
import { attentionMixer } from './attention-mixer';
import { subspaceOptions } from './block-config';
import type { ModelConfig } from './language-model-config';
import type { AttentionConfig } from './position';
import { shiftMixer } from './shift-mixer';
import type { ShiftConfig } from './shift-parameter';
import { type SubspaceConfig, subspaceMixer } from './subspace-mixer';
import type { StreamingMixer } from './token-mixer';

interface MixerKind {
  /** Options that it has beside those of every model. */
  readonly options: readonly string[];
  make(config: ModelConfig): StreamingMixer;
}

const attention = (config: ModelConfig) => attentionMixer(config.dim, config as AttentionConfig);

const subspaces = (config: ModelConfig) => subspaceMixer(config.dim, config as SubspaceConfig);

/** Every mixer that exists; a model is refused if it asks for another. */
const mixers: Record<string, MixerKind> = {
  'aft-simple': { options: [], make: () => aftSimpleMixer },
  mhsa: { options: ['heads', 'position', 'maxLength'], make: attention },
  shift: { options: ['terms', 'parameter', 'rank'], make: (config) => shiftMixer(config.dim, config as ShiftConfig) },
  mssa: { options: ['heads', ...subspaceOptions, 'position', 'maxLength'], make: subspaces },
  crate: { options: ['heads', ...subspaceOptions, 'position', 'maxLength'], make: subspaces },
  'shift+mhsa': { options: ['heads', 'position', 'maxLength', 'shiftHeads'], make: attention },
};

export const mixerNames: readonly string[] = Object.keys(mixers);

/** Options of the mixer of that name, which must be one of `mixerNames`, beside those of every model. */
export const mixerOptions = (name: string): readonly string[] => mixers[name]!.options;

/** The mixer of a model. */
export const tokenMixer = (config: ModelConfig): StreamingMixer => mixers[config.mixer]!.make(config);
