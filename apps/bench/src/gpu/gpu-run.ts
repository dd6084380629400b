import { type OperatorCase, passesOf } from '../operator-case';
import { byDeadline, noTime } from './by-deadline';
import { formsOf } from './gpu-forms';
import { type GpuCaseResult, type GpuCheckResult, type GpuReport, percentOfLimit } from './gpu-result';
import type { GpuEffort } from './gpu-time';
import { type Pass, sizesToCheck, type TimeAnswer } from './protocol';
import { TorchBeside } from './torch-beside';
import { NoAnswer, type WorkerProcess } from './worker-process';

interface GpuRunOptions {
  readonly worker: WorkerProcess;
  readonly report: GpuReport;
  readonly say: (text: string) => void;
  readonly save: () => void;
  /** When it began and when it is to end, by `performance.now()`. */
  readonly start: number;
  readonly deadline: number;
  /** Which sizes are timed. */
  readonly at: 'check' | 'gpu';
  /** Absent: no PyTorch. */
  readonly torchScript: string | undefined;
}

/** Of the whole time, what the checks may take. */
const checksShare = 0.6;
/** Most milliseconds of a request: a check of one form, the float64 reference in it; of one that may be left out at the sizes of a GPU; the timing of a case. */
const mostMs = { check: 60_000, largeCheck: 30_000, optionalCheck: 8_000, probe: 30_000, time: 40_000 } as const;
/** What a case may take for its rounds. */
const roundsMs = 8_000;

/** Checks, then times; PyTorch compiles while the checks run. It ends when its time is over: what was left out is named. */
export class GpuRun {
  readonly #options: GpuRunOptions;
  readonly #effort: GpuEffort;
  readonly #torch: TorchBeside;
  /** By case: forms that are not timed, and why. */
  readonly #untimed = new Map<string, Record<string, string>>();

  constructor(options: GpuRunOptions) {
    this.#options = options;
    const { at, torchScript, report, say } = options;
    const isSmall = at === 'check';
    this.#effort = isSmall
      ? { rounds: 3, sampleMs: 1, mostRepeats: 4, mostMs: roundsMs }
      : { rounds: 11, sampleMs: 20, mostRepeats: 64, mostMs: roundsMs };
    this.#torch = new TorchBeside(torchScript, at, report, say);
  }

  async all(chosen: readonly OperatorCase[], checkOnly: boolean): Promise<void> {
    const { report, say, start, deadline, at } = this.#options;
    const checksEnd = checkOnly ? deadline : start + checksShare * (deadline - start);
    const seconds = (ms: number) => `${(ms / 1000).toFixed(0)} s`;
    say(
      `checks may take until ${seconds(checksEnd - start)}, all until ${seconds(deadline - start)}; a check of tfjs or of a composed form at large sizes ` +
        `${seconds(mostMs.optionalCheck)}, the rounds of a case ${seconds(roundsMs)}`,
    );
    if (report.unchecked.length > 0) say(`not checked, no case calls them: ${report.unchecked.join(', ')}`);
    const preparing = checkOnly ? Promise.resolve() : this.#torch.prepare(chosen);
    // Every operator is checked small before any is checked large.
    for (const which of at === 'check' ? (['check'] as const) : (['check', 'gpu'] as const)) {
      for (const operatorCase of chosen) await this.#check(operatorCase, which, checksEnd);
    }
    if (checkOnly) return;
    await byDeadline(preparing, checksEnd).catch(() => {});
    this.#torch.hurry();
    if (chosen.some((operatorCase) => this.#formsToTime(operatorCase).length > 0)) await this.#probe();
    for (const operatorCase of chosen) {
      for (const pass of passesOf(operatorCase)) await this.#time(operatorCase, pass);
      await this.#torch.drop(operatorCase.name, deadline);
    }
    this.#torch.close();
  }

  /** Checks every form that has not failed yet. */
  async #check(operatorCase: OperatorCase, which: 'check' | 'gpu', deadline: number): Promise<void> {
    const { report, say, save } = this.#options;
    const { name } = operatorCase;
    const untimed = this.#untimed.get(name) ?? {};
    this.#untimed.set(name, untimed);
    const forms = formsOf(operatorCase).map(({ form }) => form);
    const wanted = forms.filter((form) => untimed[form] === undefined);
    if (wanted.length === 0) return;
    const sizes = sizesToCheck(operatorCase, which);
    const result = { name, sizes, right: [] as string[], wrong: {}, peerFailed: {}, leftOut: {} } satisfies GpuCheckResult;
    for (const form of wanted) {
      const { verdict, why } = await this.#checkForm(name, which, form, form !== forms[0], deadline);
      if (verdict === 'right') {
        result.right.push(form);
        continue;
      }
      (result[verdict] as Record<string, string>)[form] = why;
      untimed[form] = verdict === 'leftOut' ? `not checked: ${why}` : `its check failed: ${why}`;
    }
    report.checks.push(result);
    say(`check ${name} ${sizeText(sizes)}: ${result.right.length > 0 ? `right: ${result.right.join(', ')}` : 'none is right'}`);
    for (const [form, why] of Object.entries(result.wrong)) say(`  WRONG ${form}: ${why}`);
    for (const [form, why] of Object.entries(result.peerFailed)) say(`  peer failed, ${form}: ${why}`);
    for (const [form, why] of Object.entries(result.leftOut)) say(`  left out, ${form}: ${why}`);
    if (Object.keys(result.wrong).length > 0) report.failed = true;
    save();
  }

  async #checkForm(
    name: string,
    which: 'check' | 'gpu',
    form: string,
    isOptional: boolean,
    deadline: number,
  ): Promise<{ verdict: 'right' | 'wrong' | 'peerFailed' | 'leftOut'; why: string }> {
    const left = deadline - performance.now();
    if (left <= 0) return { verdict: 'leftOut', why: noTime };
    const most = which === 'check' ? mostMs.check : isOptional ? mostMs.optionalCheck : mostMs.largeCheck;
    const failed = form === 'tfjs' ? 'peerFailed' : 'wrong';
    try {
      const why = await this.#options.worker.ask({ ask: 'check', name, at: which, form }, Math.min(most, left));
      return why === null ? { verdict: 'right', why: '' } : { verdict: failed, why };
    } catch (error) {
      const { message } = error as Error;
      if (!(error instanceof NoAnswer)) return { verdict: failed, why: message };
      if (left < most) return { verdict: 'leftOut', why: noTime };
      // Ours fused, or at the small sizes, is to answer in that time anywhere.
      return { verdict: which === 'gpu' && isOptional ? 'leftOut' : failed, why: message };
    }
  }

  /** Those whose numbers are right; none without one of ours. */
  #formsToTime(operatorCase: OperatorCase): string[] {
    const untimed = this.#untimed.get(operatorCase.name)!;
    const forms = formsOf(operatorCase).map(({ form }) => form as string);
    const right = forms.filter((form) => untimed[form] === undefined);
    return right.some((form) => form !== 'tfjs') ? right : [];
  }

  async #probe(): Promise<void> {
    const { worker, report, say, save, at, deadline } = this.#options;
    const left = deadline - performance.now();
    try {
      if (left <= 0) throw new Error(noTime);
      report.limits = await worker.ask(
        { ask: 'probe', effort: this.#effort, small: at === 'check' },
        Math.min(mostMs.probe, left),
      );
      const { copyGBs, matMulGFs, registerGFs } = report.limits;
      say(
        `limits: copy ${copyGBs.toFixed(0)} GB/s, matMul ${matMulGFs.toFixed(0)} GF/s, multiply-add in registers ${registerGFs.toFixed(0)} GF/s`,
      );
    } catch (error) {
      say(`the probes failed: ${(error as Error).message}`);
    }
    save();
  }

  async #time(operatorCase: OperatorCase, pass: Pass): Promise<void> {
    const { worker, report, say, save, at, deadline } = this.#options;
    const { name, sizes } = operatorCase;
    const untimed = this.#untimed.get(name)!;
    const result = (timings: GpuCaseResult['timings'], missing: GpuCaseResult['missing']) => {
      report.cases.push({ name, pass, sizes: sizes[at], timings, missing });
      save();
    };
    const forms = this.#formsToTime(operatorCase);
    if (forms.length === 0) return result([], untimed);
    const left = deadline - performance.now();
    if (left <= 0) return result([], { every: noTime });
    let own: TimeAnswer;
    try {
      own = await worker.ask({ ask: 'time', name, pass, at, forms, effort: this.#effort }, Math.min(mostMs.time, left));
    } catch (error) {
      const why = error instanceof NoAnswer && left < mostMs.time ? noTime : (error as Error).message;
      say(`time ${name} ${pass}: ${why}`);
      return result([], { every: why });
    }
    const { bytes, flops, failures } = own;
    const torch = await this.#torch.time(operatorCase, pass, this.#effort, deadline);
    const timings = [...own.timings, ...torch.timings].map((timing) => ({
      ...timing,
      percentOfLimit: percentOfLimit(timing.minMs, bytes, flops, report.limits),
    }));
    say(`time ${name} ${pass}: ${timings.map(({ form, medianMs }) => `${form} ${medianMs.toFixed(4)} ms`).join(', ')}`);
    for (const [form, why] of Object.entries(failures)) say(`  left out, ${form}: ${why}`);
    result(timings, { ...untimed, ...failures, ...torch.missing });
  }
}

function sizeText(sizes: Readonly<Record<string, number>>): string {
  return Object.entries(sizes)
    .map(([name, size]) => `${name} ${size}`)
    .join(', ');
}
