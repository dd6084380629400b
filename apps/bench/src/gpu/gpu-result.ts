import type { TorchAbout } from '../peers/torch';
import type { GpuLimits } from './probes';
import type { FormTiming, Pass } from './protocol';
import type { DeviceReport } from './start-device';

/** What came of one case and pass. */
export interface GpuCaseResult {
  readonly name: string;
  readonly pass: Pass;
  readonly sizes: Readonly<Record<string, number>>;
  readonly timings: readonly (FormTiming & {
    /** Of the time that the slower of memory and arithmetic needs at the measured limits; at the minimum. */
    readonly percentOfLimit: number | null;
  })[];
  /** What was not timed, and why. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface GpuCheckResult {
  readonly name: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly right: readonly string[];
  /** Forms of ours whose numbers are wrong or that failed, and why. */
  readonly wrong: Readonly<Record<string, string>>;
  /** The same of a peer, which is no failure of ours. */
  readonly peerFailed: Readonly<Record<string, string>>;
  /** What was not checked, and why. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/** The whole report, as written to JSON after every step. */
export interface GpuReport {
  date: string;
  commit: string | null;
  node: string;
  driver: string;
  loader: string;
  device?: DeviceReport;
  limits?: GpuLimits;
  torch?: TorchAbout | { readonly missing: string };
  readonly checks: GpuCheckResult[];
  readonly cases: GpuCaseResult[];
  /** Operators with a WebGPU kernel that no case calls. */
  readonly unchecked: readonly string[];
  seconds: number;
  failed: boolean;
}

/** Percent of the limit that a time reaches; null without limits. */
export function percentOfLimit(ms: number, bytes: number, flops: number | null, limits: GpuLimits | undefined): number | null {
  if (!limits) return null;
  const least = Math.max(bytes / limits.copyGBs, (flops ?? 0) / limits.matMulGFs) / 1e6;
  return (100 * least) / ms;
}
