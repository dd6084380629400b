import { cpParameter, depthwiseParameter, lowRankParameter, parameterTensor, separableParameter } from '@mixfold/mixed-product';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';
import type { Params } from './params';
import { uniformWeight } from './uniform-weight';

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

/** New factors, whose product has the standard deviation `deviation`; a depthwise one has one channel to sum where the others have `dim`. */
export function initialFactors(
  random: Random,
  dim: number,
  { terms, parameter, rank = 1 }: ShiftConfig,
  deviation: number,
): Params {
  const weight = (shape: number[], own: number) => uniformWeight(random, shape, own);
  switch (parameter) {
    case 'lowRank': {
      const each = Math.sqrt(deviation / Math.sqrt(rank));
      return { u: weight([terms, dim, rank], each), v: weight([terms, dim, rank], each) };
    }
    case 'cp': {
      const each = Math.sqrt(deviation / Math.sqrt(rank));
      return { u: weight([dim, rank], each), mixing: weight([terms, rank], 1), v: weight([dim, rank], each) };
    }
    case 'depthwise':
      return { taps: weight([terms, dim], deviation * Math.sqrt(dim)) };
    case 'separable':
      return { taps: weight([terms, dim], 1), pointwise: weight([dim, dim], deviation) };
    default:
      return { theta: weight([terms, dim, dim], deviation) };
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
