import { checkOptions, checkTensor, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { type HeadScore, scoreSamples } from './head-score';

/** Options of `scoreHead` and `scoreHeads`. */
export interface ScoreOptions {
  /** `[target, source]`, nonzero where attention is allowed; the others do not count. Default: all. */
  readonly mask?: Tensor | undefined;
  /** The largest offset, either way, that may be the best one. */
  readonly maxOffset?: number | undefined;
  /** How many pairs an offset must have to be the best one. Default half the sequence, or 1 if `maxOffset` is given. Corners of the pattern have few, and their means are chance. */
  readonly minCount?: number | undefined;
}

const rules = { mask: 'tensor', maxOffset: 'nonNegativeInteger', minCount: 'positiveInteger' } as const;

async function readMask(functionName: string, mask: Tensor | undefined, shape: readonly number[]) {
  if (mask === undefined) return undefined;
  if (mask.shape.join() !== shape.join()) {
    throw new ShapeError(
      `${functionName}: mask must have the shape of a pattern, [${shape.join(', ')}], got [${mask.shape.join(', ')}]`,
    );
  }
  return mask.data();
}

/**
 * Tells how much an attention head is like a shift. No single number does: a uniform head is fitted perfectly by diagonals, a sink has one corner of full attention,
 * and one that decays with distance always agrees about its largest entry. A head is called a shift only if the mean at its best offset is at least 0.8, and that offset
 * holds the largest attention of at least 9 targets in 10.
 *
 * @param pattern - `[target, source]`, rows adding up to 1: a row is what one target attends to.
 * @param options - `mask`, `maxOffset`, `minCount`.
 * @returns The scores, in float64. Offsets are target - source: the head that looks at the token before has 1.
 * @throws ShapeError if the pattern has not two axes or the mask another shape; OptionError; DTypeError.
 * @see Voita et al. 2019, https://arxiv.org/abs/1905.09418, for agreement and confidence
 * @example
 * const { label, bestOffset } = await scoreHead(pattern);
 */
export async function scoreHead(pattern: Tensor2D, options: ScoreOptions = {}): Promise<HeadScore> {
  checkOptions('scoreHead', options, rules);
  checkTensor('scoreHead', 'pattern', pattern, ['float32']);
  if (pattern.rank !== 2) throw new ShapeError(`scoreHead: pattern must have 2 axes [target source], got ${pattern.rank}`);
  const [targets, sources] = pattern.shape;
  if (targets === 0 || sources === 0)
    throw new ShapeError(`scoreHead: pattern must not be empty, its shape is [${pattern.shape.join(', ')}]`);
  const mask = await readMask('scoreHead', options.mask, pattern.shape);
  const { maxOffset, minCount } = options;
  return scoreSamples({ patterns: [await pattern.data()], targets, sources, mask, maxOffset, minCount });
}

/**
 * Scores every head over many inputs: `scoreHead` of the mean pattern, with agreement and confidence as means over the samples, and `inputIndependence`, which is near
 * 1 for a head that attends by position alone.
 *
 * @param patterns - `[batch, heads, target, source]`, or `[heads, target, source]` of one sample.
 * @param options - As of `scoreHead`; the mask is one for all.
 * @returns One score per head.
 * @throws ShapeError, OptionError and DTypeError as `scoreHead`.
 * @example
 * const shifts = (await scoreHeads(patterns)).filter(({ label }) => label === 'shift');
 */
export async function scoreHeads(patterns: Tensor4D | Tensor3D, options: ScoreOptions = {}): Promise<HeadScore[]> {
  checkOptions('scoreHeads', options, rules);
  checkTensor('scoreHeads', 'patterns', patterns, ['float32']);
  if (patterns.rank !== 3 && (patterns.rank as number) !== 4) {
    throw new ShapeError(
      `scoreHeads: patterns must have 4 axes [batch heads target source], or 3, got ${patterns.rank as number}`,
    );
  }
  const [heads, targets, sources] = patterns.shape.slice(-3) as [number, number, number];
  const samples = (patterns.rank as number) === 4 ? patterns.shape[0] : 1;
  if (samples * targets * sources === 0) {
    throw new ShapeError(`scoreHeads: patterns must not be empty, their shape is [${patterns.shape.join(', ')}]`);
  }
  const mask = await readMask('scoreHeads', options.mask, [targets, sources]);
  const data = await patterns.data();
  const size = targets * sources;
  return Array.from({ length: heads }, (_, head) => {
    const own = Array.from({ length: samples }, (_, b) =>
      data.subarray((b * heads + head) * size, (b * heads + head + 1) * size),
    );
    return scoreSamples({ patterns: own, targets, sources, mask, maxOffset: options.maxOffset, minCount: options.minCount });
  });
}
