import { OptionError, type OptionRule } from '@mixfold/tensor-ops';
import { checkLayerOptions, type LayerArgs } from '@mixfold/tensor-ops/layers';
import { type Phi, phiAttributes } from '../mssa/phi';
import type { SubspaceInitializer } from './subspace-initializer';

/** What every layer with subspace attention is configured by. */
export interface SubspaceLayerArgs extends LayerArgs {
  heads: number;
  /** Dimension of each subspace. Default: the width of the input over the heads; they need not add up to the width. */
  headDim?: number;
  /** `'tied'` (default): results go back through the subspaces, as in the papers' equations. `'untied'`: through weights of their own, as in the public CRATE code. */
  output?: 'tied' | 'untied';
  /** Whether something learned is added to the result. Default false. */
  outputBias?: boolean;
  /** Whether a token sees no later one. Default false. */
  causal?: boolean;
  /** What scores are multiplied by. Default `1 / sqrt(headDim)`, and 1 where `phi` is a threshold. */
  scale?: number;
  /** Whether a token sees all but itself, against self-dominance. Default false. */
  maskSelf?: boolean;
  /** What turns scores into weights. Default `'softmax'`. */
  phi?: Phi;
  /** Whether queries and keys are normalised, with a learned gain; values are not. Default false. */
  qkNorm?: boolean;
  /** Default `'kaimingUniform'`, PyTorch's for a linear layer. */
  subspaceInitializer?: SubspaceInitializer;
  /** Of an untied output; `'subspaces'` starts it tied. Default `'kaimingUniform'`. */
  outputInitializer?: SubspaceInitializer | 'subspaces';
}

const baseRules: Record<string, OptionRule> = {
  heads: 'positiveInteger',
  headDim: 'positiveInteger',
  output: ['tied', 'untied'],
  outputBias: 'boolean',
  causal: 'boolean',
  scale: 'finite',
  maskSelf: 'boolean',
  phi: 'unchecked',
  qkNorm: 'boolean',
  subspaceInitializer: 'unchecked',
  outputInitializer: 'unchecked',
};

/** @throws OptionError naming the option that is missing, bad or unknown; `rules` are those of a layer's own options. */
export function checkSubspaceArgs(className: string, args: SubspaceLayerArgs, rules: Record<string, OptionRule>): void {
  checkLayerOptions(className, args ?? {}, { ...baseRules, ...rules });
  if (args?.heads === undefined) throw new OptionError(`${className}: option heads is needed`);
  phiAttributes(className, args.phi);
  if (args.outputInitializer !== undefined && args.output !== 'untied') {
    throw new OptionError(`${className}: option outputInitializer is of an untied output; set output 'untied', or leave it out`);
  }
}

/** The dimension of each subspace in a space of `dim`. */
export function headDimOf(className: string, { heads, headDim }: SubspaceLayerArgs, dim: number): number {
  if (headDim !== undefined) return headDim;
  if (dim % heads === 0) return dim / heads;
  throw new OptionError(`${className}: heads must divide the width of the input, got ${heads} and ${dim}; or give headDim`);
}
