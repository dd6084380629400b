import type { LanguageModelConfig } from '../../model/language-model-config';

/** Sizes that all models of a study share. */
export interface StudySizes {
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly context: number;
}

/** A model of a study, by the name that its page calls it. */
export interface Contestant {
  readonly name: string;
  readonly config: LanguageModelConfig;
}

/** The model whose heads are scored and replaced. */
export const OBSERVED = 'attention, learned positions';

/** Attention with and without ways to know positions, and attention beside true shifts without any: all of one width, depth and number of heads. */
export function attentionContestants({ dim, layers, heads, context }: StudySizes): Contestant[] {
  const size = { dim, layers };
  const attention = { ...size, mixer: 'mhsa', heads };
  return [
    { name: OBSERVED, config: { ...attention, position: 'learned', maxLength: context } },
    { name: 'shifts + attention, no positions', config: { ...size, mixer: 'shift+mhsa', heads } },
    { name: 'attention, no positions', config: { ...attention, position: 'none' } },
    { name: 'attention, ALiBi', config: { ...attention, position: 'alibi' } },
    { name: 'attention, T5 bias', config: { ...attention, position: 't5' } },
  ];
}

/** Convolutions over shifts: the number of terms, and what their matrices are made of. */
export function convolutionContestants({ dim, layers }: StudySizes): Contestant[] {
  const terms = [1, 2, 4, 8, 16].map((count): LanguageModelConfig => ({ terms: count }));
  const factored: LanguageModelConfig[] = [
    { terms: 8, parameter: 'lowRank', rank: 2 },
    { terms: 8, parameter: 'lowRank', rank: 8 },
    { terms: 8, parameter: 'lowRank', rank: 32 },
    { terms: 8, parameter: 'cp', rank: 8 },
    { terms: 8, parameter: 'cp', rank: 32 },
    { terms: 8, parameter: 'cp', rank: 128 },
    { terms: 8, parameter: 'depthwise' },
    { terms: 8, parameter: 'separable' },
  ];
  return [...terms, ...factored].map((own) => ({
    name: `${own.terms} ${own.terms === 1 ? 'term' : 'terms'}, ${nameOf(own)}`,
    config: { dim, layers, mixer: 'shift', ...own },
  }));
}

const nameOf = ({ parameter = 'full', rank }: LanguageModelConfig): string => (rank ? `${parameter} of rank ${rank}` : parameter);
