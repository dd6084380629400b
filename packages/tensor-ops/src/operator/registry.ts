import type { AnyOperator } from './types';

/** How an operator runs: one fused kernel, or tfjs ops. */
export type ImplementationForm = 'fused' | 'composed';

/** The state that all mixfold packages of a page share, whatever their entry or module system. */
export interface Registry {
  /** Every operator defined so far, by name. */
  readonly operators: Map<string, AnyOperator>;
  /** Set while `withImplementation` runs. */
  forcedForm: ImplementationForm | undefined;
  /** The build of the WASM kernels to run. */
  wasmBuild: 'simd128' | 'relaxed';
}

const key = Symbol.for('@mixfold/tensor-ops');

/** The shared state; made on first use. It lives on `globalThis` because ESM, CJS and every entry hold copies of this module. */
export function registry(): Registry {
  const holder = globalThis as unknown as Record<symbol, Registry | undefined>;
  holder[key] ??= { operators: new Map(), forcedForm: undefined, wasmBuild: 'simd128' };
  return holder[key];
}
