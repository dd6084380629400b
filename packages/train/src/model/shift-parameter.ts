import { cpParameter, depthwiseParameter, lowRankParameter, parameterTensor, separableParameter } from '@mixfold/mixed-product';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Params } from './params';
import { type ParamsPlan, uniform } from './weight-plan';

/** What a convolution's matrices may be made of: themselves, or factors with fewer numbers. */
export const shiftParameters = ['full', 'lowRank', 'cp', 'depthwise', 'separable'] as const;

export type ShiftParameter = (typeof shiftParameters)[number];

/** Sizes of a convolution over shifts. */
export interface ShiftConfig {
  /** Tokens that a token sees, itself included. */
  readonly terms: number;
  readonly parameter: ShiftParameter;
  /** Of `'lowRank'` and `'cp'`. */
  readonly rank?: number;
}

/** Factors, whose product has at first the standard deviation `deviation`; a depthwise one has one channel to sum where the others have `dim`. */
export function plannedFactors(dim: number, { terms, parameter, rank = 1 }: ShiftConfig, deviation: number): ParamsPlan {
  switch (parameter) {
    case 'lowRank': {
      const each = Math.sqrt(deviation / Math.sqrt(rank));
      return { u: uniform([terms, dim, rank], each), v: uniform([terms, dim, rank], each) };
    }
    case 'cp': {
      const each = Math.sqrt(deviation / Math.sqrt(rank));
      return { u: uniform([dim, rank], each), mixing: uniform([terms, rank], 1), v: uniform([dim, rank], each) };
    }
    case 'depthwise':
      return { taps: uniform([terms, dim], deviation * Math.sqrt(dim)) };
    case 'separable':
      return { taps: uniform([terms, dim], 1), pointwise: uniform([dim, dim], deviation) };
    default:
      return { theta: uniform([terms, dim, dim], deviation) };
  }
}

/** The matrices `[terms, dim, dim]` that the factors stand for. Differentiable in them. */
export function thetaOf(params: Params, { parameter }: ShiftConfig): Tensor3D {
  const { theta, u, v, mixing, taps, pointwise } = params as Record<string, Tensor2D & Tensor3D>;
  switch (parameter) {
    case 'lowRank':
      return parameterTensor(lowRankParameter({ u: u!, v: v! }));
    case 'cp':
      return parameterTensor(cpParameter({ u: u!, mixing: mixing!, v: v! }));
    case 'depthwise':
      return parameterTensor(depthwiseParameter(taps!));
    case 'separable':
      return parameterTensor(separableParameter({ depthwise: taps!, pointwise: pointwise! }));
    default:
      return theta!;
  }
}
