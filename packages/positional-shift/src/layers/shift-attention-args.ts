import { OptionError } from '@mixfold/tensor-ops';
import { checkLayerOptions, type InitializerArg, type LayerArgs } from '@mixfold/tensor-ops/layers';
import { type Boundary, boundaries } from '../boundary';

/**
 * How shifts stand beside content: heads of their own; a gate between the two in every head; a learned bias of the scores at the offsets; or values that are shifted before
 * they are attended to, so that a head matches in one place and reads in another.
 */
export type Combination = 'heads' | 'gated' | 'logBias' | 'valueShift';

export const combinations = ['heads', 'gated', 'logBias', 'valueShift'] as const satisfies readonly Combination[];

/** What a shift attention is configured by. */
export interface ShiftAttentionArgs extends LayerArgs {
  /** Heads that attend by content; 0 is allowed where shifts are heads of their own. Default 4. */
  heads?: number;
  /** Target - source. With `'heads'` each is a head. Default `[1]`. */
  offsets?: readonly number[];
  /** Default `'heads'`. */
  combine?: Combination;
  /** Channels of a head. Default: the width of the input over `heads`, over the number of offsets where there are no content heads. */
  headDim?: number;
  /** Whether a target sees only what is up to its own time; then no offset looks ahead. Default false. */
  causal?: boolean;
  /** What a shift reads beyond the ends. Default `'replicate'` for `'gated'`, where its rows then add up to 1 as those of attention do, else `'zero'`. */
  boundary?: Boundary;
  /** Whether the projections have biases. Default true. */
  useBias?: boolean;
  /** For the kernels of the projections. Default Glorot uniform. */
  kernelInitializer?: InitializerArg;
}

/** A checked configuration. */
export interface ShiftAttentionConfig {
  readonly heads: number;
  readonly offsets: readonly number[];
  readonly combine: Combination;
  readonly headDim: number | undefined;
  readonly causal: boolean;
  readonly boundary: Boundary;
  readonly useBias: boolean;
}

/** Checks the options of a layer. */
export function configOf(args: ShiftAttentionArgs): ShiftAttentionConfig {
  checkLayerOptions('ShiftAttention', args, {
    heads: 'nonNegativeInteger',
    offsets: 'unchecked',
    combine: combinations,
    headDim: 'positiveInteger',
    causal: 'boolean',
    boundary: boundaries,
    useBias: 'boolean',
    kernelInitializer: 'unchecked',
  });
  const { heads = 4, offsets = [1], combine = 'heads', headDim, causal = false, useBias = true } = args;
  const boundary = args.boundary ?? (combine === 'gated' ? 'replicate' : 'zero');
  const refuse = (message: string) => new OptionError(`ShiftAttention: ${message}`);
  if (!Array.isArray(offsets) || offsets.length === 0 || !offsets.every(Number.isSafeInteger)) {
    throw refuse(`option offsets must be an array of at least one integer, got [${String(offsets)}]`);
  }
  if (heads === 0 && combine !== 'heads') throw refuse(`combine '${combine}' needs content heads, got heads 0`);
  if (combine === 'logBias' && new Set(offsets).size < offsets.length) {
    throw refuse(`a bias stands once per offset, got [${offsets.join(', ')}]`);
  }
  if (causal && offsets.some((offset) => offset < 0)) {
    throw refuse(`a causal layer looks at no later token, got offsets [${offsets.join(', ')}]; leave out those below 0`);
  }
  if (causal && (boundary === 'circular' || boundary === 'reflect')) {
    throw refuse(`boundary '${boundary}' reads later tokens, which a causal layer may not; use 'zero' or 'replicate'`);
  }
  return { heads, offsets: [...offsets], combine, headDim, causal, boundary, useBias };
}
