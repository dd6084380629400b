import type { BenchCase, Target } from './bench-case';
import type { Timing } from './interleave';
import { printColumns } from './print-columns';

/** What came of one case. `failure` alone if its check failed: then nothing was timed. */
export interface CaseResult {
  readonly name: string;
  readonly about: string;
  readonly timings?: readonly Timing[];
  readonly rows?: readonly { readonly name: string; readonly form: string; readonly value: string }[];
  readonly targets?: readonly (Target & { readonly met: boolean })[];
  readonly failure?: string;
}

/** Whether a figure keeps its bound. */
export function isMet({ value, atLeast, atMost }: Target): boolean {
  return (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);
}

export function printHeading({ name, about }: BenchCase): void {
  console.log(`\n${name}: ${about}`);
}

/** Prints the figures of a case as aligned columns. */
export function printResult({ timings = [], rows = [], targets = [], failure }: CaseResult): void {
  if (failure !== undefined) console.log(`  NOT TIMED, the check failed: ${failure}`);
  const figures = timings.map(({ name, form, min, median, gflops }) => [
    name,
    form,
    `min ${min.toFixed(3)} ms`,
    `median ${median.toFixed(3)} ms`,
    gflops === undefined ? '' : `${gflops.toFixed(1)} GF/s`,
  ]);
  printColumns([...figures, ...rows.map(({ name, form, value }) => [name, form, value])]);
  printColumns(
    targets.map((target) => [`= ${target.text}`, target.value.toFixed(2), boundOf(target), target.met ? 'ok' : 'MISSED']),
  );
}

function boundOf({ atLeast, atMost }: Target): string {
  return atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
}
