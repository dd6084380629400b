import type { Contestant } from './bench-case';

export interface Effort {
  /** Samples of each contestant. */
  readonly rounds: number;
  /** Milliseconds that a sample should take: shorter runs are repeated. */
  readonly sampleMs: number;
  /** About how many milliseconds a contestant may take altogether: a slow one has fewer samples, three at least, or two of seconds each. Default: no bound. */
  readonly mostMs?: number;
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
  readonly isLimit?: boolean;
}

/** A run that takes so long is not repeated without need. */
const slowMs = 100;
/** Of runs so long two samples have to do where time is short. */
const verySlowMs = 1000;

/**
 * Times the contestants turn about: a slow spell of the machine falls on all of them alike, so their ratio survives it.
 */
export async function interleave(
  contestants: readonly Contestant[],
  { rounds, sampleMs, mostMs = Number.POSITIVE_INFINITY }: Effort,
  clock: Clock = machineClock,
): Promise<Timing[]> {
  const turns: { contestant: Contestant; repeats: number; isBrief: boolean; samples: number[]; most: number }[] = [];
  for (const contestant of contestants) {
    await contestant.enter();
    // The first run compiles and warms up; of a slow one it tells enough.
    const first = await time(contestant, 1, clock);
    const once = first < slowMs ? await time(contestant, 2, clock) : first;
    const repeats = Math.max(1, Math.round(sampleMs / once));
    const most = Math.max(once < verySlowMs ? 3 : 2, Math.min(rounds, Math.floor(mostMs / (repeats * once))));
    turns.push({ contestant, repeats, isBrief: once < 50, samples: [], most });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contestant, repeats, isBrief, samples, most } of turns) {
      // Its turns are spread over the whole: the k-th of `most` falls on this round or on none.
      if (Math.floor(((round + 1) * most) / rounds) === samples.length) continue;
      await contestant.enter();
      // The one before left its own data in the caches. That matters to a short run.
      if (isBrief) await contestant.run();
      samples.push(await time(contestant, repeats, clock));
    }
  }
  return turns.map(({ contestant: { name, form, flops, isLimit }, samples }) => {
    const sorted = samples.sort((a, b) => a - b);
    const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
    return {
      name,
      form,
      min: sorted[0]!,
      median,
      samples: sorted.length,
      ...(flops === undefined ? {} : { gflops: flops / median / 1e6 }),
      ...(isLimit ? { isLimit } : {}),
    };
  });
}

/**
 * Milliseconds of one run. The clock, or the process's own time on the processors if that is less: then another process was let in. That tells nothing of
 * a run on several threads.
 */
async function time(contestant: Contestant, repeats: number, clock: Clock): Promise<number> {
  if (contestant.sample) return contestant.sample(repeats);
  const [start, usedBefore] = [clock.now(), clock.used()];
  for (let i = 0; i < repeats; i++) {
    const running = contestant.run();
    if (running) await running;
  }
  const [passed, used] = [clock.now() - start, clock.used() - usedBefore];
  return (contestant.threaded ? passed : Math.min(passed, used)) / repeats;
}
