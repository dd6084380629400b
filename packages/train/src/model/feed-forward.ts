import { ista } from '@mixfold/subspace-attention';
import { gelu } from '@mixfold/tensor-ops';
import { add, matMul, reshape, type Tensor1D, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { normalized, planNorm } from './norm';
import type { Params } from './params';
import { constant, type ParamsPlan, uniform } from './weight-plan';

/**
 * What follows the mixer of a block: a GELU MLP with a residual, as in transformers; a step of ISTA without one, as in CRATE; or nothing, in attention-only
 * models.
 */
export const feedForwardKinds = ['mlp', 'ista', 'none'] as const;

export type FeedForwardKind = (typeof feedForwardKinds)[number];

/** Sizes of the second half of a block. */
export interface FeedForwardConfig {
  readonly dim: number;
  readonly feedForward: FeedForwardKind;
  /** Width of the MLP in units of `dim`. */
  readonly expansion?: number;
  /** Length of ISTA's step. */
  readonly istaStepSize?: number;
  /** What a code of ISTA must exceed. */
  readonly istaThreshold?: number;
}

/** Its weights; `residual` scales what it adds to the residual stream at first. */
export function planFeedForward(
  { dim, feedForward, expansion }: FeedForwardConfig,
  residual: number,
  hasBias: boolean,
): ParamsPlan {
  switch (feedForward) {
    case 'mlp': {
      const hidden = dim * expansion!;
      return {
        ...planNorm('mlpNorm', dim, hasBias),
        mlpIn: uniform([dim, hidden], 1 / Math.sqrt(dim)),
        ...(hasBias ? { mlpInBias: constant([hidden], 0) } : {}),
        mlpOut: uniform([hidden, dim], residual / Math.sqrt(hidden)),
        ...(hasBias ? { mlpOutBias: constant([dim], 0) } : {}),
      };
    }
    case 'ista':
      // As the public CRATE: Kaiming's deviation for layers before a ReLU.
      return { ...planNorm('istaNorm', dim, hasBias), dictionary: uniform([dim, dim], Math.sqrt(2 / dim)) };
    default:
      return {};
  }
}

/** The residual stream after the second half of a block. */
export function applyFeedForward(config: FeedForwardConfig, params: Params, rows: Tensor2D): Tensor2D {
  const { feedForward, istaStepSize: stepSize, istaThreshold: threshold } = config;
  switch (feedForward) {
    case 'mlp': {
      const inner = withBias(matMul(normalized(rows, params, 'mlpNorm'), params.mlpIn as Tensor2D), params.mlpInBias);
      const hidden = gelu(inner, { approximate: 'tanh' }) as Tensor2D;
      return add(rows, withBias(matMul(hidden, params.mlpOut as Tensor2D), params.mlpOutBias));
    }
    case 'ista': {
      const tokens = reshape(normalized(rows, params, 'istaNorm'), [1, ...rows.shape]) as Tensor3D;
      return reshape(ista(tokens, params.dictionary as Tensor2D, { stepSize, threshold }), rows.shape) as Tensor2D;
    }
    default:
      return rows;
  }
}

/** `rows` plus a bias, if there is one. */
export const withBias = (rows: Tensor2D, bias: Params[string] | undefined): Tensor2D =>
  bias === undefined ? rows : add(rows, bias as Tensor1D);
