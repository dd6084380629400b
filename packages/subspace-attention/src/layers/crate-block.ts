import { type InitializerArg, type LayerVariable, type ReadInitializer, readInitializer } from '@mixfold/tensor-ops/layers';
import { serialization, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { ista } from '../ista/ista';
import { type ResidualArgs, ResidualLayer } from './residual-layer';
import type { Attend } from './subspace-layer';

/** What a CRATE block is configured by. */
export interface CrateBlockArgs extends ResidualArgs {
  /** Step size of ISTA. Default 0.1. */
  istaStepSize?: number;
  /** What a code must exceed to count, taken off times the step. Default 0.1. */
  threshold?: number;
  /** Of ISTA's dictionary. Default He uniform, as in the public CRATE code. */
  dictionaryInitializer?: InitializerArg;
}

/**
 * One layer of CRATE: `z = x + eta mssa(norm(x))`, then `ista(norm(z))`, with no residual around ISTA. Takes and gives `[batch, tokens, dim]`, of any length; what it gives is
 * 0 or above. A mask from an earlier layer is the key mask. A causal block streams, as `AttentionOnlyBlock` does.
 *
 * The public code has `output: 'untied'` and `outputBias: true`.
 *
 * @see Yu et al. 2023, https://arxiv.org/abs/2306.01129
 * @example
 * const model = tf.sequential({ layers: [new CrateBlock({ inputShape: [197, 384], heads: 6, output: 'untied', outputBias: true })] });
 */
export class CrateBlock extends ResidualLayer {
  /** @nocollapse */
  static className = 'CrateBlock';
  readonly #stepSize: number;
  readonly #threshold: number;
  readonly #initializer: ReadInitializer;
  #dictionary: LayerVariable | undefined;

  constructor(args: CrateBlockArgs) {
    super(args, { istaStepSize: 'finite', threshold: 'finite', dictionaryInitializer: 'unchecked' });
    this.#stepSize = args.istaStepSize ?? 0.1;
    this.#threshold = args.threshold ?? 0.1;
    this.#initializer = readInitializer(args.dictionaryInitializer ?? 'heUniform');
  }

  protected override addOwnWeights(dim: number): void {
    super.addOwnWeights(dim);
    if (this.norm !== 'none') this.addNorm('istaNorm', dim);
    this.#dictionary = this.addWeight('dictionary', [dim, dim], 'float32', this.#initializer.initializer);
  }

  protected override transform(tokens: Tensor3D, attend: Attend): Tensor3D {
    const denoised = this.normalized('istaNorm', this.denoised(tokens, attend));
    return ista(denoised, this.#dictionary!.read() as Tensor2D, { stepSize: this.#stepSize, threshold: this.#threshold });
  }

  override getConfig(): serialization.ConfigDict {
    return {
      ...super.getConfig(),
      istaStepSize: this.#stepSize,
      threshold: this.#threshold,
      dictionaryInitializer: this.#initializer.config,
    };
  }
}

serialization.registerClass(CrateBlock);
