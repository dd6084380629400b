import { checkNumbers } from '../check-operator';
import { type OperatorCase, passesOf } from '../operator-case';
import { Torch } from '../peers/torch';
import { drawInputs, prepareOperator } from '../prepare-operator';
import { type GpuCaseResult, type GpuReport, percentOfLimit } from './gpu-result';
import type { GpuEffort } from './gpu-time';
import { type Pass, sizesToCheck, type TimeAnswer } from './protocol';
import type { WorkerProcess } from './worker-process';

interface GpuRunOptions {
  readonly worker: WorkerProcess;
  readonly report: GpuReport;
  readonly say: (text: string) => void;
  readonly save: () => void;
  /** By `performance.now()`. */
  readonly deadline: number;
  /** Which sizes are timed. */
  readonly at: 'check' | 'gpu';
  /** Absent: no PyTorch. */
  readonly torchScript: string | undefined;
}

const requestMs = 120_000;

/** Checks, then times; PyTorch compiles while the checks run. */
export class GpuRun {
  readonly #options: GpuRunOptions;
  readonly #effort: GpuEffort;
  /** By case: the forms of PyTorch that are ready, or why there is none. */
  readonly #torchForms = new Map<string, { forms: readonly string[]; missing: Record<string, string> }>();
  #torch: Torch | undefined;
  #isChecking = true;

  constructor(options: GpuRunOptions) {
    this.#options = options;
    this.#effort =
      options.at === 'check' ? { rounds: 3, sampleMs: 1, mostRepeats: 4 } : { rounds: 11, sampleMs: 20, mostRepeats: 64 };
  }

  async all(chosen: readonly OperatorCase[], checkOnly: boolean): Promise<void> {
    const { report, say } = this.#options;
    if (report.unchecked.length > 0) say(`not checked, no case calls them: ${report.unchecked.join(', ')}`);
    const preparing = checkOnly ? undefined : this.#prepareTorch(chosen);
    const good: { operatorCase: OperatorCase; forms: readonly string[] }[] = [];
    for (const operatorCase of chosen) good.push({ operatorCase, forms: await this.#check(operatorCase) });
    this.#isChecking = false;
    if (checkOnly) return;
    await preparing;
    await this.#probe();
    for (const { operatorCase, forms } of good) {
      for (const pass of passesOf(operatorCase)) await this.#time(operatorCase, forms, pass);
      await this.#torch?.drop(operatorCase.name).catch(() => {});
    }
    this.#torch?.close();
  }

  /** At the small sizes, then at those to be timed. @returns the forms that are right at both. */
  async #check(operatorCase: OperatorCase): Promise<readonly string[]> {
    const { worker, report, say, save, at } = this.#options;
    const { name } = operatorCase;
    let forms: readonly string[] | undefined;
    for (const which of at === 'check' ? (['check'] as const) : (['check', 'gpu'] as const)) {
      const { right, wrong } = await worker
        .ask({ ask: 'check', name, at: which }, requestMs)
        .catch((error: Error) => ({ right: [], wrong: { every: error.message } as Record<string, string> }));
      const sizes = sizesToCheck(operatorCase, which);
      report.checks.push({ name, sizes, right, wrong });
      say(`check ${name} ${sizeText(sizes)}: ${right.length > 0 ? `right: ${right.join(', ')}` : 'nothing is right'}`);
      for (const [form, why] of Object.entries(wrong)) say(`  WRONG ${form}: ${why}`);
      // What tfjs's own ops compute is told, and no failure of ours.
      if (Object.keys(wrong).some((form) => form !== 'tfjs')) report.failed = true;
      forms = right.filter((form) => forms?.includes(form) ?? true);
      save();
    }
    return forms ?? [];
  }

  async #probe(): Promise<void> {
    const { worker, report, say, save, at } = this.#options;
    try {
      report.limits = await worker.ask({ ask: 'probe', effort: this.#effort, small: at === 'check' }, requestMs);
      const { copyGBs, matMulGFs, registerGFs } = report.limits;
      say(
        `limits: copy ${copyGBs.toFixed(0)} GB/s, matMul ${matMulGFs.toFixed(0)} GF/s, multiply-add in registers ${registerGFs.toFixed(0)} GF/s`,
      );
    } catch (error) {
      say(`the probes failed: ${(error as Error).message}`);
    }
    save();
  }

  /** While the checks run, PyTorch compiles: case by case, so that it can be stopped when the timing begins. */
  async #prepareTorch(chosen: readonly OperatorCase[]): Promise<void> {
    const { report, say, torchScript, at, deadline } = this.#options;
    if (torchScript === undefined) return;
    try {
      this.#torch = await Torch.start(torchScript, 'cuda');
    } catch (error) {
      report.torch = { missing: (error as Error).message };
      return say(`PyTorch is missing: ${(error as Error).message}`);
    }
    report.torch = this.#torch.about;
    say(`PyTorch ${this.#torch.about.version} on ${this.#torch.about.device}`);
    for (const operatorCase of chosen) {
      if (!operatorCase.peers?.torch) continue;
      const { name, sizes } = operatorCase;
      // Half of the time belongs to the timing.
      const isLate = !this.#isChecking && performance.now() > deadline - 100_000;
      const missing: Record<string, string> = isLate ? { 'torch compiled': 'no time was left to compile it' } : {};
      try {
        const small = prepareOperator(operatorCase, sizes.check);
        const { output, gradients } = await this.#torch.check(operatorCase, small.inputs, sizes.check, small.dOutput);
        checkNumbers(small, output, gradients, { forward: 1e-3, gradient: 1e-3 });
        const made = await this.#torch.prepare(operatorCase, drawInputs(operatorCase, sizes[at]), sizes[at], !isLate);
        if (made.failure) missing['torch compiled'] = made.failure;
        this.#torchForms.set(name, { forms: made.forms, missing });
        say(`PyTorch ${name}: ${made.forms.join(', ')}${made.failure ? `; ${made.failure}` : ''}`);
      } catch (error) {
        this.#torchForms.set(name, { forms: [], missing: { torch: (error as Error).message } });
        say(`PyTorch ${name}: ${(error as Error).message}`);
      }
    }
  }

  async #time(operatorCase: OperatorCase, forms: readonly string[], pass: Pass): Promise<void> {
    const { worker, report, say, save, at, deadline } = this.#options;
    const { name, sizes } = operatorCase;
    const result = (timings: GpuCaseResult['timings'], missing: GpuCaseResult['missing']) => {
      report.cases.push({ name, pass, sizes: sizes[at], timings, missing });
      save();
    };
    if (!forms.some((form) => form !== 'tfjs')) return result([], { every: 'its check failed' });
    if (performance.now() > deadline) return result([], { every: 'no time was left' });
    let own: TimeAnswer;
    try {
      own = await worker.ask({ ask: 'time', name, pass, at, forms, effort: this.#effort }, requestMs);
    } catch (error) {
      say(`time ${name} ${pass}: ${(error as Error).message}`);
      return result([], { every: (error as Error).message });
    }
    const { bytes, flops, failures } = own;
    const torch = await this.#timeTorch(operatorCase, pass);
    const timings = [...own.timings, ...torch.timings].map((timing) => ({
      ...timing,
      percentOfLimit: percentOfLimit(timing.minMs, bytes, flops, report.limits),
    }));
    say(`time ${name} ${pass}: ${timings.map(({ form, medianMs }) => `${form} ${medianMs.toFixed(4)} ms`).join(', ')}`);
    result(timings, { ...failures, ...torch.missing });
  }

  async #timeTorch(
    { name, peers }: OperatorCase,
    pass: Pass,
  ): Promise<Pick<TimeAnswer, 'timings'> & { missing: Record<string, string> }> {
    if (!this.#torch) {
      const { torch } = this.#options.report;
      return { timings: [], missing: { torch: torch && 'missing' in torch ? torch.missing : 'left out' } };
    }
    if (!peers?.torch) return { timings: [], missing: { torch: 'the case has no such call' } };
    const ready = this.#torchForms.get(name) ?? { forms: [], missing: { torch: 'not prepared' } };
    if (ready.forms.length === 0) return { timings: [], missing: ready.missing };
    try {
      const { samples, repeats } = await this.#torch.time(name, pass, this.#effort);
      const timings = Object.entries(samples).map(([form, own]) => {
        const sorted = [...own].sort((a, b) => a - b);
        const medianMs = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
        const by = 'timestamps' as const;
        return {
          form: `torch ${form}`,
          minMs: sorted[0]!,
          medianMs,
          wallMs: medianMs,
          samples: own.length,
          repeats: repeats[form]!,
          by,
        };
      });
      return { timings, missing: ready.missing };
    } catch (error) {
      return { timings: [], missing: { ...ready.missing, torch: (error as Error).message } };
    }
  }
}

function sizeText(sizes: Readonly<Record<string, number>>): string {
  return Object.entries(sizes)
    .map(([name, size]) => `${name} ${size}`)
    .join(', ');
}
