import type { BenchCase, Missing, Target } from './bench-case';
import type { Timing } from './interleave';
import { printColumns } from './print-columns';

/** What came of one case. `failure` alone if its check failed: then nothing was timed. */
export interface CaseResult {
  readonly name: string;
  readonly about: string;
  readonly timings?: readonly JudgedTiming[];
  readonly missing?: readonly Missing[];
  readonly rows?: readonly { readonly name: string; readonly form: string; readonly value: string }[];
  readonly targets?: readonly (Target & { readonly met: boolean })[];
  readonly failure?: string;
  /** What the case took, its checks included. */
  readonly seconds?: number;
}

/** A time beside the others of its case. */
export interface JudgedTiming extends Timing {
  /** How many times as long as ours it takes, at the medians. */
  readonly overOurs?: number;
  /** What the machine's limit takes of this time, in percent, at the medians. */
  readonly percentOfLimit?: number;
}

/** Sets the times of a case beside ours and beside the slowest of the machine's limits. */
export function judge(timings: readonly Timing[], ours: string | undefined): JudgedTiming[] {
  const own = timings.find(({ name }) => name === ours)?.median;
  // Of several probes of arithmetic the best is the limit; the copy is another limit.
  const limits = timings.filter(({ isLimit }) => isLimit);
  const copies = limits.filter(({ gflops }) => gflops === undefined).map(({ median }) => median);
  const arithmetic = limits.filter(({ gflops }) => gflops !== undefined).map(({ median }) => median);
  const least = Math.max(0, ...copies, ...(arithmetic.length > 0 ? [Math.min(...arithmetic)] : []));
  return timings.map((timing) => ({
    ...timing,
    ...(own === undefined || timing.isLimit ? {} : { overOurs: timing.median / own }),
    ...(least === 0 || timing.isLimit ? {} : { percentOfLimit: (100 * least) / timing.median }),
  }));
}

/** Whether a figure keeps its bound. */
export function isMet({ value, atLeast, atMost }: Target): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
}

export function printHeading({ name, about }: BenchCase): void {
  console.log(`\n${name}: ${about}`);
}

/** Prints the figures of a case as aligned columns. */
export function printResult({ timings = [], rows = [], targets = [], missing = [], failure, seconds }: CaseResult): void {
  if (failure !== undefined) console.log(`  NOT TIMED, the check failed: ${failure}`);
  const figures = timings.map(({ name, form, min, median, gflops, overOurs, percentOfLimit }) => [
    name,
    form,
    `min ${min.toFixed(3)} ms`,
    `median ${median.toFixed(3)} ms`,
    overOurs === undefined ? '' : `${overOurs.toFixed(2)} x`,
    percentOfLimit === undefined ? '' : `${percentOfLimit.toFixed(percentOfLimit < 10 ? 1 : 0)} % of limit`,
    gflops === undefined ? '' : `${gflops.toFixed(1)} GF/s`,
  ]);
  printColumns([...figures, ...rows.map(({ name, form, value }) => [name, form, value])]);
  printColumns(missing.map(({ name, reason }) => [name, `not timed: ${reason}`]));
  printColumns(
    targets.map((target) => [`= ${target.text}`, target.value.toFixed(2), boundOf(target), target.met ? 'ok' : 'MISSED']),
  );
  if (seconds !== undefined) console.log(`  ${seconds.toFixed(1)} s`);
}

function boundOf({ atLeast, atMost }: Target): string {
  return atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
}
