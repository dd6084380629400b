import { aftSimpleMixer } from './aft-simple-mixer';
import type { TokenMixer } from './token-mixer';

/** Every mixer that exists; a model is refused if it asks for another. */
const mixers: Record<string, TokenMixer> = { 'aft-simple': aftSimpleMixer };

export const mixerNames: readonly string[] = Object.keys(mixers);

/** The mixer of that name, which must be one of `mixerNames`. */
export function tokenMixer(name: string): TokenMixer {
  return mixers[name]!;
}
