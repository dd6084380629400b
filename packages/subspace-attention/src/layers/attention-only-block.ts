import { relu, serialization, type Tensor3D } from '@tensorflow/tfjs-core';
import { type ResidualArgs, ResidualLayer } from './residual-layer';
import type { Attend } from './subspace-layer';

/** What an attention-only block is configured by. */
export interface AttentionOnlyBlockArgs extends ResidualArgs {
  /** `'relu'`: what leaves the block is 0 or above, which costs no parameter. Default null. */
  activation?: 'relu' | null;
}

/**
 * One layer of an attention-only transformer: `x + eta mssa(norm(x))` and nothing else, no feed-forward network. Takes and gives `[batch, tokens, dim]`, of any length; a
 * mask from an earlier layer is the key mask. A causal block streams: `initialState`, `prefill` and `step` give the numbers of the whole call.
 *
 * With its defaults it is the practical layer: layer norm before, softmax of scores over `sqrt(headDim)`, step size 1. `norm: 'none'`, orthonormal subspaces,
 * `phi: { threshold: 0.9 }` and `stepSize: 0.1` make the theorem's.
 *
 * @see Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const block = () => new AttentionOnlyBlock({ heads: 4, causal: true, norm: 'sandwich', qkNorm: true });
 */
export class AttentionOnlyBlock extends ResidualLayer {
  /** @nocollapse */
  static className = 'AttentionOnlyBlock';
  readonly #activation: 'relu' | null;

  constructor(args: AttentionOnlyBlockArgs) {
    super(args, { activation: ['relu', null] });
    this.#activation = args.activation ?? null;
  }

  protected override transform(tokens: Tensor3D, attend: Attend): Tensor3D {
    const denoised = this.denoised(tokens, attend);
    return this.#activation === 'relu' ? relu(denoised) : denoised;
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), activation: this.#activation };
  }
}

serialization.registerClass(AttentionOnlyBlock);
