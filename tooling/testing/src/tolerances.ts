/** What one kind of kernel promises against float64: bounds on rms(error) / rms(reference). */
export interface Tolerance {
  readonly forward: number;
  readonly gradient: number;
}

/** The promise of each backend, fused or composed, for keys and biases up to 20 and times up to 8,192. */
export const tolerances = {
  cpu: { forward: 1e-6, gradient: 5e-6 },
  wasm: { forward: 1e-6, gradient: 5e-6 },
  webgpu: { forward: 5e-6, gradient: 2e-5 },
} as const satisfies Record<string, Tolerance>;

/** An rms error at or below this passes whatever the reference is: it is rounding of values near one that cancel. */
export const absoluteRms = 1e-7;

/** A gradient is measured against at least this share of the largest gradient rms of its call, for one may be all but zero. */
export const gradientFloor = 1e-2;

/** Inputs on which common implementations overflow: bounds on the largest error over max(1, largest reference magnitude). */
export const hostileTolerance: Tolerance = { forward: 2e-5, gradient: 1e-3 };

/** The same for logits that reach 1e5, whose float32 spacing alone moves a softmax by about a hundredth. */
export const hostileLogitTolerance: Tolerance = { forward: 2e-5, gradient: 3e-2 };
