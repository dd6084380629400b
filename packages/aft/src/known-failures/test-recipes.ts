/** Recipes that AFT code in circulation follows, in float32, one batch element and one channel: what docs/known-failures.md tells of. */

const f = Math.fround;

/** Keys and values of the sources. */
export interface Sources {
  readonly key: readonly number[];
  readonly value: readonly number[];
}

/** The bias of a pair, and whether the target may see the source. */
export interface Pairs {
  readonly bias: (target: number, source: number) => number;
  readonly sees: (target: number, source: number) => boolean;
}

/** What every recipe should give: the definition, in float64, relative to each row's own maximum. */
export function definition({ key, value }: Sources, { bias, sees }: Pairs): number[] {
  return key.map((_, t) => {
    const seen = key.flatMap((_, s) => (sees(t, s) ? [s] : []));
    const largest = Math.max(...seen.map((s) => key[s]! + bias(t, s)));
    let [above, below] = [0, 0];
    for (const s of seen) {
      const weight = Math.exp(key[s]! + bias(t, s) - largest);
      above += weight * value[s]!;
      below += weight;
    }
    return seen.length === 0 ? 0 : above / below;
  });
}

/** A quotient of sums over the sources that a target sees, of weights given by `weight`; `epsilon` is added to the denominator. */
function quotient({ key, value }: Sources, sees: Pairs['sees'], weight: (t: number, s: number) => number, epsilon = 0): number[] {
  return key.map((_, t) => {
    let [above, below] = [0, 0];
    for (const s of key.keys()) {
      if (!sees(t, s)) continue;
      const w = weight(t, s);
      above = f(above + f(w * value[s]!));
      below = f(below + w);
    }
    return f(above / f(below + epsilon));
  });
}

/** `exp(k) exp(w)`, as the formula stands. */
export const withoutMaxima = (sources: Sources, { bias, sees }: Pairs, epsilon = 0) =>
  quotient(sources, sees, (t, s) => f(f(Math.exp(sources.key[s]!)) * f(Math.exp(bias(t, s)))), epsilon);

/** One maximum over all keys and one per row of the bias, whether the target sees them or not. */
export function separateMaxima(sources: Sources, { bias, sees }: Pairs, epsilon = 0): number[] {
  const largestKey = Math.max(...sources.key);
  const largestBias = sources.key.map((_, t) => Math.max(...sources.key.map((_, s) => bias(t, s))));
  const weight = (t: number, s: number) =>
    f(f(Math.exp(f(sources.key[s]! - largestKey))) * f(Math.exp(f(bias(t, s) - largestBias[t]!))));
  return quotient(sources, sees, weight, epsilon);
}

/** The bias is taken relative to the maximum over targets, a shift per source that does not cancel. */
export function maximumOverTargets(sources: Sources, { bias, sees }: Pairs): number[] {
  const largest = sources.key.map((_, s) => Math.max(...sources.key.map((_, t) => bias(t, s))));
  return quotient(sources, sees, (t, s) => f(Math.exp(sources.key[s]! + bias(t, s) - largest[s]!)));
}

/** The paper's convolution: what the window adds, `exp(w) - 1` of it, to the sum over all. */
export function sumAndDifference({ key, value }: Sources, { bias }: Pairs): number[] {
  const largest = Math.max(...key);
  const weights = key.map((k) => f(Math.exp(f(k - largest))));
  return key.map((_, t) => {
    let [above, below] = [0, 0];
    for (const s of key.keys()) {
      above = f(above + f(weights[s]! * value[s]!));
      below = f(below + weights[s]!);
    }
    for (const s of key.keys()) {
      const extra = f(f(Math.exp(bias(t, s))) - 1);
      above = f(above + f(extra * f(weights[s]! * value[s]!)));
      below = f(below + f(extra * weights[s]!));
    }
    return f(above / below);
  });
}

/** What is outside the window is not seen. */
export const windowAlone = (sources: Sources, { bias, sees }: Pairs, inside: Pairs['sees']) =>
  quotient(
    sources,
    (t, s) => sees(t, s) && inside(t, s),
    (t, s) => f(Math.exp(sources.key[s]! + bias(t, s))),
  );

/** The current source enters twice: once by itself, once in the running sum. */
export function currentTwice({ key, value }: Sources): number[] {
  let [above, below] = [0, 0];
  return key.map((k, t) => {
    const weight = f(Math.exp(k));
    above = f(above + f(weight * value[t]!));
    below = f(below + weight);
    return f(f(above + f(weight * value[t]!)) / below);
  });
}

/** Weights without their sum over time: every target keeps its own value. */
export function withoutSumOverTime({ key, value }: Sources): number[] {
  const sum = key.reduce((total, k) => f(total + f(Math.exp(k))), 0);
  return key.map((k, t) => f(f(f(Math.exp(k)) / sum) * value[t]!));
}
