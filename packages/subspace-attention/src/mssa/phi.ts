import { checkOptions, type KernelCall, OptionError } from '@mixfold/tensor-ops';

/** What makes weights of a row's scores; see `mssa`. */
export type Phi = 'softmax' | 'relu' | PhiThreshold;

/** The operator of the theory: a weight is `threshold` where softmax exceeds `threshold`, and else 0. */
export interface PhiThreshold {
  /** tau, above 0 and below 1. */
  readonly threshold: number;
  /** Whether scores receive the gradient that softmax would give them. Default false: they receive none, for a step has none. */
  readonly straightThrough?: boolean | undefined;
}

/** `Phi` as attributes of an operator. A type alias, for an interface is no record of attributes. */
export type PhiAttributes = { phi: string; tau: number; straightThrough: boolean };

export const phiKinds = ['softmax', 'relu', 'threshold'] as const;

/** @throws OptionError for anything else than a `Phi`. */
export function phiAttributes(functionName: string, phi: Phi | undefined): PhiAttributes {
  if (phi === undefined || phi === 'softmax') return { phi: 'softmax', tau: 0, straightThrough: false };
  if (phi === 'relu') return { phi, tau: 0, straightThrough: false };
  if (typeof phi !== 'object' || phi === null) {
    const shown = typeof phi === 'string' ? `'${phi}'` : String(phi);
    throw new OptionError(`${functionName}: option phi must be 'softmax', 'relu' or {threshold, straightThrough?}, got ${shown}`);
  }
  checkOptions(`${functionName} phi`, phi, { threshold: 'positive', straightThrough: 'boolean' });
  const { threshold, straightThrough = false } = phi;
  if (threshold === undefined) throw new OptionError(`${functionName}: option phi.threshold is required`);
  if (threshold >= 1) {
    throw new OptionError(
      `${functionName}: option phi.threshold must be below 1, which no softmax weight exceeds, got ${threshold}`,
    );
  }
  return { phi: 'threshold', tau: threshold, straightThrough };
}

/** The scale where none is given: the theory's 1 for a threshold, else 1 / sqrt(headDim). */
export function defaultScale({ phi }: PhiAttributes, headDim: number | undefined): number {
  return phi === 'threshold' || !headDim ? 1 : 1 / Math.sqrt(headDim);
}

/** Fused kernels know softmax alone. */
export const acceptsPhi = ({ attributes }: KernelCall): string | null =>
  attributes.phi === 'softmax' ? null : `its kernels know softmax alone, not phi ${attributes.phi}`;
