import { checkedSizes, type OperatorCase, type Sizes } from '../operator-case';
import type { GpuEffort, GpuTiming } from './gpu-time';
import type { GpuLimits } from './probes';
import type { DeviceReport } from './start-device';

/** Where a case is checked before it is timed at `at`. */
export function sizesToCheck(operatorCase: OperatorCase, at: 'check' | 'gpu'): Sizes {
  return at === 'check' ? operatorCase.sizes.check : checkedSizes(operatorCase, operatorCase.sizes.gpu);
}

export type Pass = 'forward' | 'both';

/** What the supervisor asks of the process that owns the device. One at a time. */
export type WorkerRequest =
  | { readonly ask: 'describe' }
  | { readonly ask: 'probe'; readonly effort: GpuEffort; readonly small: boolean }
  | { readonly ask: 'check'; readonly name: string; readonly at: 'check' | 'gpu'; readonly form: string }
  | {
      readonly ask: 'time';
      readonly name: string;
      readonly pass: Pass;
      readonly at: 'check' | 'gpu';
      /** Those whose numbers are right. */
      readonly forms: readonly string[];
      readonly effort: GpuEffort;
    };

/** One implementation's time. */
export interface FormTiming extends GpuTiming {
  readonly form: string;
}

export interface TimeAnswer {
  readonly timings: readonly FormTiming[];
  /** Forms that could not be timed, and why. */
  readonly failures: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly flops: number | null;
}

/** Why a form's numbers are wrong, or what failed; null if they are right. */
export type CheckAnswer = string | null;

export interface WorkerAnswers {
  readonly describe: DeviceReport;
  readonly probe: GpuLimits;
  readonly check: CheckAnswer;
  readonly time: TimeAnswer;
}

export type WorkerReply = { readonly answer: unknown } | { readonly error: string };
