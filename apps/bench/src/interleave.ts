import type { Contestant } from './bench-case';

export interface Effort {
  /** Samples of each contestant. */
  readonly rounds: number;
  /** Milliseconds that a sample should take: shorter runs are repeated. */
  readonly sampleMs: number;
}

/** Where the time comes from, in milliseconds. */
export interface Clock {
  now(): number;
  /** The process's own time on the processors. */
  used(): number;
}

const machineClock: Clock = {
  now: () => performance.now(),
  used: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/** Milliseconds of one run. */
export interface Timing {
  readonly name: string;
  readonly form: string;
  readonly min: number;
  readonly median: number;
  readonly samples: number;
  /** 10^9 floating-point operations a second, at the median. */
  readonly gflops?: number;
}

/**
 * Times the contestants turn about: a slow spell of the machine falls on all of them alike, so their ratio survives it.
 */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, sampleMs }: Effort,
  clock: Clock = machineClock,
): Promise<Timing[]> {
  const repeats = new Map<Contestant, number>();
  const brief = new Set<Contestant>();
  for (const contestant of contestants) {
    await contestant.enter();
    contestant.run();
    const once = time(contestant, 2, clock);
    repeats.set(contestant, Math.max(1, Math.round(sampleMs / once)));
    if (once < 50) brief.add(contestant);
  }
  const samples = new Map<Contestant, number[]>(contestants.map((contestant) => [contestant, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of contestants) {
      await contestant.enter();
      // The one before left its own data in the caches. That matters to a short run.
      if (brief.has(contestant)) contestant.run();
      samples.get(contestant)!.push(time(contestant, repeats.get(contestant)!, clock));
    }
  }
  return contestants.map((contestant) => {
    const sorted = samples.get(contestant)!.sort((a, b) => a - b);
    const median = (sorted[(rounds - 1) >> 1]! + sorted[rounds >> 1]!) / 2;
    const { name, form, flops } = contestant;
    const rate = flops === undefined ? {} : { gflops: flops / median / 1e6 };
    return { name, form, min: sorted[0]!, median, samples: rounds, ...rate };
  });
}

/**
 * Milliseconds of one run. The clock, or the process's own time on the processors if that is less: then another process was let in. That tells nothing of
 * a run on several threads.
 */
function time(contestant: Contestant, repeats: number, clock: Clock): number {
  const [start, usedBefore] = [clock.now(), clock.used()];
  for (let i = 0; i < repeats; i++) contestant.run();
  const [passed, used] = [clock.now() - start, clock.used() - usedBefore];
  return (contestant.threaded ? passed : Math.min(passed, used)) / repeats;
}
