import { OptionError } from '@mixfold/tensor-ops';
import { type FeedForwardConfig, type FeedForwardKind, feedForwardKinds } from './feed-forward';
import { outputKinds, type SubspaceConfig } from './subspace-mixer';

/** Options of the second half of blocks. */
export interface FeedForwardOptions {
  /**
   * What follows the mixer: a GELU MLP, a step of ISTA in the place of the stream, or nothing. Default `'none'` after `'mssa'`, `'ista'` after `'crate'`, which
   * has no other, else `'mlp'`.
   */
  feedForward?: FeedForwardKind;
  /** Of `'mlp'`: its width in units of `dim`; default 4. */
  expansion?: number;
  /** Of `'ista'`: the length of its step; default 0.1. */
  istaStepSize?: number;
  /** Of `'ista'`: what a code must exceed to count, taken off times the step; default 0.1. */
  istaThreshold?: number;
}

/** Options of the mixers `'mssa'` and `'crate'`. */
export interface SubspaceOptions {
  /** Default 4. */
  heads?: number;
  /** Dimension of the subspaces; default `dim / heads`. */
  headDim?: number;
  /** Whether heads write through their own subspaces or through weights of their own; default `'tied'`. */
  output?: (typeof outputKinds)[number];
  /** What the mixer adds counts so much, eta; default 1. */
  stepSize?: number;
  /** Whether the step size is learned, one per layer, from there on; default false. */
  learnStepSize?: boolean;
}

/** How both kinds of options are checked. */
export const blockRules = {
  feedForward: feedForwardKinds,
  expansion: 'positiveInteger',
  istaStepSize: 'finite',
  istaThreshold: 'finite',
  headDim: 'positiveInteger',
  output: outputKinds,
  stepSize: 'finite',
  learnStepSize: 'boolean',
} as const;

/** Options of `subspaceConfig` beside `heads`. */
export const subspaceOptions = ['headDim', 'output', 'stepSize', 'learnStepSize'] as const;

/** Fills in the defaults. @throws OptionError for an option of another kind */
export function feedForwardConfig(
  functionName: string,
  options: FeedForwardOptions,
  { mixer, dim }: { mixer: string; dim: number },
): FeedForwardConfig {
  const usual = mixer === 'mssa' ? 'none' : mixer === 'crate' ? 'ista' : 'mlp';
  const { feedForward = usual } = options;
  if (mixer === 'crate' && feedForward !== 'ista') {
    throw new OptionError(
      `${functionName}: option feedForward of the mixer 'crate' is 'ista', got '${feedForward}'; the mixer 'mssa' takes others`,
    );
  }
  const owner = { expansion: 'mlp', istaStepSize: 'ista', istaThreshold: 'ista' } as const;
  for (const name of ['expansion', 'istaStepSize', 'istaThreshold'] as const) {
    if (options[name] !== undefined && owner[name] !== feedForward) {
      throw new OptionError(`${functionName}: option ${name} is of feedForward '${owner[name]}', and this is '${feedForward}'`);
    }
  }
  if (feedForward === 'mlp') return { dim, feedForward, expansion: options.expansion ?? 4 };
  if (feedForward === 'none') return { dim, feedForward };
  const { istaStepSize = 0.1, istaThreshold = 0.1 } = options;
  return { dim, feedForward, istaStepSize, istaThreshold };
}

/** Fills in the defaults. @throws OptionError if the heads do not divide `dim` and have no size of their own */
export function subspaceConfig(functionName: string, options: SubspaceOptions, dim: number): SubspaceConfig {
  const { heads = 4, output = 'tied', stepSize = 1, learnStepSize = false } = options;
  if (options.headDim === undefined && dim % heads !== 0) {
    throw new OptionError(`${functionName}: option heads must divide dim, ${dim}, or headDim be given, got ${heads}`);
  }
  return { heads, headDim: options.headDim ?? dim / heads, output, stepSize, learnStepSize };
}
