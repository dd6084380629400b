import { defineWasmModule, type WasmBackend, withScratch } from '@mixfold/tensor-ops';
import { probeBinaries } from './generated/probe';

/** Chains of multiply-adds in registers; the best of these is the peak of a build. */
export const peakProbes = ['peak8', 'peak10', 'peak12', 'peak14'] as const;
type Probe = (typeof peakProbes)[number];

const probe = defineWasmModule<Probe>(probeBinaries);

/** Floating-point operations of `rounds` rounds of a probe. */
export function peakFlops(name: Probe, rounds: number): number {
  return rounds * 8 * Number(name.slice('peak'.length));
}

/** Runs a probe in the build that is in use. */
export function runPeak(backend: WasmBackend, name: Probe, rounds: number): void {
  withScratch(backend, 16, (pointer) => probe.exports(backend)[name](rounds, pointer));
}
