import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-layers';
import type { BenchCase } from './bench-case';
import { cases } from './cases/index';
import { chartPage } from './chart-page';
import { type Effort, interleave } from './interleave';
import { commit, machine } from './machine';
import { peers } from './peers/index';
import { type CaseResult, isMet, judge, printHeading, printResult } from './report';

export interface BenchOptions {
  /** More samples. */
  readonly full: boolean;
  /** Names, or beginnings of names, of the cases to run; all if empty. */
  readonly only: readonly string[];
  /** Where the figures go. */
  readonly json: string;
}

/**
 * Runs the benchmarks, prints their figures and writes them as JSON.
 *
 * @returns the exit code: 1 if a case computed something wrong, whose time was then not taken. A missed bound is reported and no failure.
 * @throws RangeError if `only` names no case.
 */
export async function bench({ full, only, json }: BenchOptions): Promise<number> {
  const chosen = cases.filter(({ name, onlyFull }) =>
    only.length === 0 ? full || !onlyFull : only.some((beginning) => name.startsWith(beginning)),
  );
  const stranger = only.find((beginning) => !cases.some(({ name }) => name.startsWith(beginning)));
  if (stranger !== undefined)
    throw new RangeError(`no case is called '${stranger}'; there are ${cases.map(({ name }) => name).join(', ')}`);

  await tf.setBackend('wasm');
  await startCpuQuietly();
  const effort: Effort = full ? { rounds: 101, sampleMs: 6, mostMs: 3000 } : { rounds: 13, sampleMs: 4, mostMs: 120 };
  const where = { commit: commit(), machine: machine() };
  console.log(
    `${where.machine.cpu}, ${where.machine.cores} cores, Node ${where.machine.node}, commit ${where.commit ?? 'unknown'}`,
  );
  const results: CaseResult[] = [];
  const start = performance.now();
  for (const benchCase of chosen) {
    printHeading(benchCase);
    await tf.setBackend('wasm');
    const began = performance.now();
    const result = { ...(await runCase(benchCase, effort, full)), seconds: (performance.now() - began) / 1000 };
    printResult(result);
    results.push(result);
  }
  console.log(`\n${results.length} cases in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  for (const peer of peers) peer.close?.();
  const path = resolve(json);
  const page = path.replace(/(\.json)?$/, '.html');
  mkdirSync(dirname(path), { recursive: true });
  const head = { date: new Date().toISOString(), ...where };
  writeFileSync(path, `${JSON.stringify({ ...head, effort, cases: results }, null, 2)}\n`);
  writeFileSync(page, chartPage(head, results));
  console.log(`\nWritten to ${json}; charts: ${page}`);
  return results.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

/** tfjs's CPU backend recommends tfjs-node at its first tensor. */
async function startCpuQuietly(): Promise<void> {
  tf.env().set('PROD', true);
  await tf.setBackend('cpu');
  tf.zeros([1]).dispose();
  tf.env().set('PROD', false);
}

async function runCase({ name, about, prepare, measure }: BenchCase, effort: Effort, full: boolean): Promise<CaseResult> {
  try {
    if (measure) {
      const { rows, targets } = await measure();
      return { name, about, rows, targets: targets.map((target) => ({ ...target, met: isMet(target) })) };
    }
    const contest = await prepare!(full);
    try {
      await contest.check();
      const timings = await interleave(contest.contestants, effort);
      const medians = (contestant: string) => timings.find((timing) => timing.name === contestant)!.median;
      return {
        name,
        about,
        timings: judge(timings, contest.ours),
        missing: contest.missing ?? [],
        targets: contest.targets(medians).map((target) => ({ ...target, met: isMet(target) })),
      };
    } finally {
      contest.dispose();
    }
  } catch (error) {
    return { name, about, failure: error instanceof Error ? error.message : String(error) };
  }
}
