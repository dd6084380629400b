import { OptionError } from '@mixfold/tensor-ops';
import { serialization, type Tensor, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { aftLocal } from '../aft-local/aft-local';
import type { PositionBias } from '../position-bias';
import { BiasedLayer, type BiasLayerArgs } from './biased-layer';

/** What AFT-local is configured by. */
export interface LocalLayerArgs extends BiasLayerArgs {
  /** The bias counts where |target - source| < windowSize. */
  windowSize: number;
}

/**
 * AFT-local as a tf.layers layer: projections to query, key and value, `aftLocal` with a learned position bias, projection back.
 * Takes and gives `[batch, time, dim]` with time up to `maxLength`. With `biasRank` null the weights are those inside the window alone,
 * `[maxLength, 2 windowSize - 1]`.
 *
 * @see Zhai et al. 2021, eq. 4 and 7, https://arxiv.org/abs/2105.14103
 * @example
 * const model = tf.sequential({ layers: [new AftLocal({ inputShape: [256, 64], windowSize: 32, causal: true })] });
 */
export class AftLocal extends BiasedLayer {
  /** @nocollapse */
  static className = 'AftLocal';
  readonly #windowSize: number;

  constructor(args: LocalLayerArgs) {
    super(args, { windowSize: 'positiveInteger' });
    if (args?.windowSize === undefined) throw new OptionError('AftLocal: option windowSize is needed');
    this.#windowSize = args.windowSize;
  }

  protected override biasColumns(): number {
    return 2 * this.#windowSize - 1;
  }

  protected override mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor {
    const weights = this.readBias();
    const bias: PositionBias = 'u' in weights ? weights : { band: weights as Tensor2D };
    const options = { causal: this.causal, queryActivation: this.queryActivation, keyMask, windowSize: this.#windowSize };
    return aftLocal(query as Tensor3D, key as Tensor3D, value as Tensor3D, bias, options);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), windowSize: this.#windowSize };
  }
}

serialization.registerClass(AftLocal);
