import { add, type Tensor2D } from '@tensorflow/tfjs-core';
import { applyFeedForward, type FeedForwardConfig, planFeedForward } from './feed-forward';
import { normalized, planNorm } from './norm';
import type { Params } from './params';
import type { TokenMixer } from './token-mixer';
import type { ParamsPlan } from './weight-plan';

/** Sizes of a stack of pre-LN blocks: a token mixer with a residual, then what `feedForward` names. */
export interface BlocksConfig extends FeedForwardConfig {
  readonly layers: number;
}

/** The weights of all blocks. */
export function planBlocks(config: BlocksConfig, mixer: TokenMixer, hasBias: boolean): ParamsPlan {
  const { dim, layers, feedForward } = config;
  // What every layer adds is scaled down by the number of additions, so that the residual stream starts at one size at any depth. ISTA begins it anew.
  const additions = { mlp: 2 * layers, none: layers, ista: 1 }[feedForward];
  const residual = 1 / Math.sqrt(additions);
  const block = {
    ...planNorm('mixerNorm', dim, hasBias),
    mixer: mixer.plan(dim, residual / Math.sqrt(dim)),
    ...planFeedForward(config, residual, hasBias),
  };
  return Object.fromEntries(Array.from({ length: layers }, (_, layer) => [layer, block]));
}

/** Sees the rows of a layer: those that enter it, those that its mixer reads, those that leave it. */
export type NoteLayer = (weights: Params, rows: Record<'tokens' | 'attended' | 'output', Tensor2D>) => void;

/** Runs all blocks; `mix` says how a layer's tokens see each other. */
export function applyBlocks(
  config: BlocksConfig,
  blocks: Params,
  rows: Tensor2D,
  mix: (layer: number, weights: Params, rows: Tensor2D) => Tensor2D,
  note?: NoteLayer,
): Tensor2D {
  let stream = rows;
  for (let layer = 0; layer < config.layers; layer++) {
    const [block, tokens] = [blocks[layer] as Params, stream];
    const attended = normalized(tokens, block, 'mixerNorm');
    const weights = block.mixer as Params;
    stream = applyFeedForward(config, block, add(tokens, mix(layer, weights, attended)));
    note?.(weights, { tokens, attended, output: stream });
  }
  return stream;
}
