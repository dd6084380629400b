import { serialization, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import { aftFull } from '../aft-full/aft-full';
import { BiasedLayer } from './biased-layer';

/**
 * AFT-full as a tf.layers layer: projections to query, key and value, `aftFull` with a learned position bias, projection back.
 * Takes and gives `[batch, time, dim]` with time up to `maxLength`; a mask from an earlier layer is the key mask.
 *
 * @see Zhai et al. 2021, eq. 2 and 7, https://arxiv.org/abs/2105.14103
 * @example
 * const model = tf.sequential({ layers: [new AftFull({ inputShape: [32, 64], biasRank: 16 })] });
 */
export class AftFull extends BiasedLayer {
  /** @nocollapse */
  static className = 'AftFull';

  protected override mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor {
    const options = { causal: this.causal, queryActivation: this.queryActivation, keyMask };
    return aftFull(query as Tensor3D, key as Tensor3D, value as Tensor3D, this.readBias(), options);
  }
}

serialization.registerClass(AftFull);
