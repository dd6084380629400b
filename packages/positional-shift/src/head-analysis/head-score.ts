/** What a head is like: a shift, looking at itself, near some offset, everywhere alike, at one place, or at what it is shown. */
export type HeadLabel = 'shift' | 'self' | 'local' | 'uniform' | 'sink' | 'content';

/** How much an attention head is like a shift. All is over the pairs that the mask allows. */
export interface HeadScore {
  /** The offset (target - source) with the largest diagonal mean, among those that count. */
  readonly bestOffset: number;
  /** Mean attention at that offset: 1 for a true shift, and its coefficient when the head is projected on shifts. */
  readonly diagonalMean: number;
  /** The share of all attention at that offset; at most `(N - |offset|) / N`. */
  readonly profileShare: number;
  /** The share of targets whose largest attention is at that offset, of those that have a source there. */
  readonly argmaxAgreement: number;
  /** Mean over targets of their largest attention. */
  readonly confidence: number;
  /** Exponential of the entropy of the attention by offset: over how many offsets it spreads. */
  readonly effectiveOffsets: number;
  /** Share of the variance that the diagonal means explain. 1 for uniform attention too: by itself it says nothing. */
  readonly toeplitzR2: number;
  /** How much of the attention is the same for every sample: 1 for a head that does not look at its input, and for one sample. */
  readonly inputIndependence: number;
  readonly label: HeadLabel;
}

/** Patterns of one head, `[target, source]` each, row-major, and which pairs count. */
export interface HeadSamples {
  readonly patterns: readonly ArrayLike<number>[];
  readonly targets: number;
  readonly sources: number;
  readonly mask?: ArrayLike<number> | undefined;
  readonly maxOffset?: number | undefined;
  readonly minCount?: number | undefined;
}

/** Voita et al. call a head positional from this agreement on. */
const LEAST_AGREEMENT = 0.9;
/** Their positional heads had a mean largest weight above it. */
const LEAST_DIAGONAL = 0.8;
const LEAST_SINK = 0.5;
const LEAST_UNIFORM = 0.95;
const LEAST_LOCAL = 0.5;

/** Means that differ by less are equal: rounding must not choose an offset. */
const SAME = 1e-6;

/** Scores a head in float64. */
export function scoreSamples(head: HeadSamples): HeadScore {
  const { targets, sources, patterns } = head;
  const mean = meanOf(patterns, targets * sources);
  const isAllowed = (t: number, s: number) => head.mask === undefined || head.mask[t * sources + s] !== 0;
  const counts = new Map<number, number>();
  const sums = new Map<number, number>();
  let [total, pairs] = [0, 0];
  forEachPair(head, isAllowed, (t, s) => {
    const value = mean[t * sources + s]!;
    counts.set(t - s, (counts.get(t - s) ?? 0) + 1);
    sums.set(t - s, (sums.get(t - s) ?? 0) + value);
    total += value;
    pairs++;
  });
  const diagonal = (offset: number) => (sums.get(offset) ?? 0) / (counts.get(offset) ?? 1);
  const share = (offset: number) => (total > 0 ? (sums.get(offset) ?? 0) / total : 0);
  const bestOffset = chooseOffset(head, counts, diagonal);

  let [residual, variance] = [0, 0];
  forEachPair(head, isAllowed, (t, s) => {
    const value = mean[t * sources + s]!;
    residual += (value - diagonal(t - s)) ** 2;
    variance += (value - total / pairs) ** 2;
  });
  let entropy = 0;
  for (const offset of sums.keys()) if (share(offset) > 0) entropy -= share(offset) * Math.log(share(offset));

  const rows = rowsOf(head, isAllowed, bestOffset);
  const score = {
    bestOffset,
    diagonalMean: diagonal(bestOffset),
    profileShare: share(bestOffset),
    ...rows,
    effectiveOffsets: Math.exp(entropy),
    // What there is no variance of is explained: all diagonals have one mean.
    toeplitzR2: variance <= residual * 1e-12 || variance < 1e-20 * pairs ? 1 : 1 - residual / variance,
    inputIndependence: independenceOf(head, isAllowed, mean, total / pairs),
  };
  const reach = Math.max(1, Math.floor(Math.min(targets, sources) / 16));
  const near = [...sums.keys()].filter((offset) => Math.abs(offset - bestOffset) <= reach).reduce((sum, d) => sum + share(d), 0);
  return { ...score, label: labelOf(score, sinkOf(head, mean, isAllowed), flatnessOf(head, mean, isAllowed), near) };
}

function labelOf(
  { bestOffset, diagonalMean, argmaxAgreement }: Pick<HeadScore, 'bestOffset' | 'diagonalMean' | 'argmaxAgreement'>,
  sink: number,
  flatness: number,
  near: number,
): HeadLabel {
  if (diagonalMean >= LEAST_DIAGONAL && argmaxAgreement >= LEAST_AGREEMENT) return bestOffset === 0 ? 'self' : 'shift';
  if (sink >= LEAST_SINK) return 'sink';
  if (flatness >= LEAST_UNIFORM) return 'uniform';
  return near >= LEAST_LOCAL ? 'local' : 'content';
}

function meanOf(patterns: readonly ArrayLike<number>[], size: number): Float64Array {
  const mean = new Float64Array(size);
  for (const pattern of patterns) for (let i = 0; i < size; i++) mean[i]! += pattern[i]! / patterns.length;
  return mean;
}

type Allowed = (target: number, source: number) => boolean;

function forEachPair({ targets, sources }: HeadSamples, isAllowed: Allowed, visit: (t: number, s: number) => void): void {
  for (let t = 0; t < targets; t++) for (let s = 0; s < sources; s++) if (isAllowed(t, s)) visit(t, s);
}

/** The largest diagonal mean of those that have enough entries; of equal ones the nearest, and of two as near the one that looks back. */
function chooseOffset(
  { targets, sources, maxOffset, minCount }: HeadSamples,
  counts: ReadonlyMap<number, number>,
  diagonal: (offset: number) => number,
): number {
  const least = minCount ?? (maxOffset === undefined ? Math.min(targets, sources) / 2 : 1);
  const near = [...counts.keys()].sort((a, b) => Math.abs(a) - Math.abs(b) || b - a);
  let best: number | undefined;
  for (const offset of near) {
    if (counts.get(offset)! < least || Math.abs(offset) > (maxOffset ?? Number.POSITIVE_INFINITY)) continue;
    if (best === undefined || diagonal(offset) > diagonal(best) + SAME) best = offset;
  }
  return best ?? 0;
}

/** Agreement and confidence, over the rows that attend to anything. */
function rowsOf({ patterns, targets, sources }: HeadSamples, isAllowed: Allowed, offset: number) {
  let [valid, agreeing, rows, largest] = [0, 0, 0, 0];
  for (const pattern of patterns) {
    for (let t = 0; t < targets; t++) {
      let at = -1;
      for (let s = 0; s < sources; s++) {
        if (isAllowed(t, s) && (at < 0 || pattern[t * sources + s]! > pattern[t * sources + at]!)) at = s;
      }
      if (at < 0 || pattern[t * sources + at]! <= 0) continue;
      rows++;
      largest += pattern[t * sources + at]!;
      const source = t - offset;
      if (source < 0 || source >= sources || !isAllowed(t, source)) continue;
      valid++;
      if (at === source) agreeing++;
    }
  }
  return { argmaxAgreement: valid > 0 ? agreeing / valid : 0, confidence: rows > 0 ? largest / rows : 0 };
}

/** The largest mean attention that one source receives from the targets that may see it and others. */
function sinkOf({ targets, sources }: HeadSamples, mean: Float64Array, isAllowed: Allowed): number {
  let most = 0;
  for (let s = 0; s < sources; s++) {
    let [sum, seen] = [0, 0];
    for (let t = 0; t < targets; t++) {
      if (!isAllowed(t, s)) continue;
      sum += mean[t * sources + s]!;
      seen++;
    }
    // A source that few see is no sink.
    if (seen >= targets / 2) most = Math.max(most, sum / seen);
  }
  return most;
}

/** Mean over targets of the entropy of their attention, 1 being uniform over what they may see. */
function flatnessOf({ targets, sources }: HeadSamples, mean: Float64Array, isAllowed: Allowed): number {
  let [sum, rows] = [0, 0];
  for (let t = 0; t < targets; t++) {
    let [entropy, seen] = [0, 0];
    for (let s = 0; s < sources; s++) {
      if (!isAllowed(t, s)) continue;
      const p = mean[t * sources + s]!;
      if (p > 0) entropy -= p * Math.log(p);
      seen++;
    }
    if (seen < 2) continue;
    sum += entropy / Math.log(seen);
    rows++;
  }
  return rows > 0 ? sum / rows : 0;
}

/** Energy of the mean pattern over the mean energy of the patterns, about the mean of all. */
function independenceOf(head: HeadSamples, isAllowed: Allowed, mean: Float64Array, level: number): number {
  let [common, all] = [0, 0];
  forEachPair(head, isAllowed, (t, s) => {
    const i = t * head.sources + s;
    common += (mean[i]! - level) ** 2;
    for (const pattern of head.patterns) all += (pattern[i]! - level) ** 2 / head.patterns.length;
  });
  return all > 0 ? common / all : 1;
}
