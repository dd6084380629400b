import { serialization, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import { aftSimple } from '../aft-simple/aft-simple';
import { ProjectedLayer } from './projected-layer';

/**
 * AFT-simple as a tf.layers layer: projections to query, key and value, `aftSimple`, projection back.
 * Takes and gives `[batch, time, dim]`, as an attention layer of the same width does; a mask from an earlier layer is the key mask.
 *
 * @see Zhai et al. 2021, eq. 5, https://arxiv.org/abs/2105.14103
 * @example
 * const model = tf.sequential({ layers: [new AftSimple({ inputShape: [32, 64], causal: true })] });
 */
export class AftSimple extends ProjectedLayer {
  /** @nocollapse */
  static className = 'AftSimple';

  protected override mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor {
    return aftSimple(query as Tensor3D, key as Tensor3D, value as Tensor3D, {
      causal: this.causal,
      queryActivation: this.queryActivation,
      keyMask,
    });
  }
}

serialization.registerClass(AftSimple);
