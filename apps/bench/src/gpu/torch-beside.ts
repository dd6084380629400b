import { checkNumbers } from '../check-operator';
import type { OperatorCase } from '../operator-case';
import { Torch } from '../peers/torch';
import { drawInputs, prepareOperator } from '../prepare-operator';
import { byDeadline } from './by-deadline';
import type { GpuReport } from './gpu-result';
import type { GpuEffort } from './gpu-time';
import type { Pass, TimeAnswer } from './protocol';

type TorchTimes = Pick<TimeAnswer, 'timings'> & { readonly missing: Readonly<Record<string, string>> };

const peerTolerance = { forward: 1e-3, gradient: 1e-3 };

/** PyTorch beside ours: it compiles while ours are checked, and is timed after each case of ours. */
export class TorchBeside {
  readonly #script: string | undefined;
  readonly #at: 'check' | 'gpu';
  readonly #report: GpuReport;
  readonly #say: (text: string) => void;
  /** By case: the forms that are ready, and why others are not. */
  readonly #ready = new Map<string, { forms: readonly string[]; missing: Record<string, string> }>();
  #torch: Torch | undefined;
  #isLate = false;

  /** @param script - absent: no PyTorch. */
  constructor(script: string | undefined, at: 'check' | 'gpu', report: GpuReport, say: (text: string) => void) {
    this.#script = script;
    this.#at = at;
    this.#report = report;
    this.#say = say;
  }

  /** Case by case. Whatever fails in one is told and recorded, and the next follows. */
  async prepare(chosen: readonly OperatorCase[]): Promise<void> {
    if (this.#script === undefined) return;
    try {
      this.#torch = await Torch.start(this.#script, 'cuda');
    } catch (error) {
      this.#report.torch = { missing: messageOf(error) };
      return this.#say(`PyTorch is missing: ${messageOf(error)}`);
    }
    this.#report.torch = this.#torch.about;
    this.#say(`PyTorch ${this.#torch.about.version} on ${this.#torch.about.device}`);
    for (const operatorCase of chosen) {
      if (!operatorCase.peers?.torch) continue;
      const { name, sizes } = operatorCase;
      const missing: Record<string, string> = this.#isLate ? { 'torch compiled': 'no time was left to compile it' } : {};
      try {
        const small = prepareOperator(operatorCase, sizes.check);
        const { output, gradients } = await this.#torch.check(operatorCase, small.inputs, sizes.check, small.dOutput);
        checkNumbers(small, output, gradients, peerTolerance);
        const inputs = drawInputs(operatorCase, sizes[this.#at]);
        const made = await this.#torch.prepare(operatorCase, inputs, sizes[this.#at], !this.#isLate);
        if (made.failure) missing['torch compiled'] = made.failure;
        this.#ready.set(name, { forms: made.forms, missing });
        this.#say(`PyTorch ${name}: ${made.forms.join(', ')}${made.failure ? `; peer failed, compiled: ${made.failure}` : ''}`);
      } catch (error) {
        this.#ready.set(name, { forms: [], missing: { torch: messageOf(error) } });
        this.#say(`peer failed, PyTorch ${name}: ${messageOf(error)}`);
      }
    }
  }

  /** From here on nothing more is compiled: what is left of the time belongs to the timing. */
  hurry(): void {
    this.#isLate = true;
  }

  async time({ name, peers }: OperatorCase, pass: Pass, effort: GpuEffort, deadline: number): Promise<TorchTimes> {
    if (!this.#torch) {
      const { torch } = this.#report;
      return { timings: [], missing: { torch: torch && 'missing' in torch ? torch.missing : 'left out' } };
    }
    if (!peers?.torch) return { timings: [], missing: { torch: 'the case has no such call' } };
    const ready = this.#ready.get(name) ?? { forms: [], missing: { torch: 'no time was left to prepare it' } };
    if (ready.forms.length === 0) return { timings: [], missing: ready.missing };
    try {
      const { samples, repeats, failures } = await byDeadline(this.#torch.time(name, pass, effort), deadline);
      const timings = Object.entries(samples).map(([form, own]) => {
        const sorted = [...own].sort((a, b) => a - b);
        const medianMs = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
        const [minMs, by] = [sorted[0]!, 'timestamps' as const];
        return { form: `torch ${form}`, minMs, medianMs, wallMs: medianMs, samples: own.length, repeats: repeats[form]!, by };
      });
      const failed = Object.entries(failures).map(([form, why]) => [`torch ${form}`, why] as const);
      return { timings, missing: { ...ready.missing, ...Object.fromEntries(failed) } };
    } catch (error) {
      return { timings: [], missing: { ...ready.missing, torch: messageOf(error) } };
    }
  }

  drop(name: string, deadline: number): Promise<unknown> {
    return this.#torch ? byDeadline(this.#torch.drop(name), deadline).catch(() => {}) : Promise.resolve();
  }

  close(): void {
    this.#torch?.close();
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
