import { serialization, type Tensor, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { aftConv1d } from '../aft-conv-1d/aft-conv-1d';
import { type ConvLayerArgs, ConvolutionalLayer } from './convolutional-layer';

/** What AFT-conv over time is configured by. */
export interface Conv1dLayerArgs extends ConvLayerArgs {
  /** Taps of the kernel. Default 11. */
  window?: number;
}

/**
 * AFT-conv over time as a tf.layers layer: projections to query, key (one per head) and value, `aftConv1d` with a learned normalised kernel, projection back.
 * Takes and gives `[batch, time, dim]`, of any length; a mask from an earlier layer is the key mask.
 *
 * @see Zhai et al. 2021, eq. 6 and 8, https://arxiv.org/abs/2105.14103
 * @example
 * const model = tf.sequential({ layers: [new AftConv1d({ inputShape: [null, 64], heads: 8, window: 7, causal: true })] });
 */
export class AftConv1d extends ConvolutionalLayer {
  /** @nocollapse */
  static className = 'AftConv1d';
  readonly #window: number;

  constructor(args: Conv1dLayerArgs = {}) {
    super(args, { window: 'positiveInteger' });
    this.#window = args.window ?? 11;
  }

  protected override taps(): readonly number[] {
    return [this.#window];
  }

  protected override mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor {
    const options = { causal: this.causal, queryActivation: this.queryActivation, keyMask };
    return aftConv1d(query as Tensor3D, key as Tensor3D, value as Tensor3D, this.readKernel() as Tensor2D, options);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), window: this.#window };
  }
}

serialization.registerClass(AftConv1d);
