import { OptionError } from '@mixfold/tensor-ops';
import { serialization, type Tensor, type Tensor3D, type Tensor4D } from '@tensorflow/tfjs-core';
import { aftConv2d } from '../aft-conv-2d/aft-conv-2d';
import { type ConvLayerArgs, ConvolutionalLayer } from './convolutional-layer';

/** What AFT-conv over a grid is configured by; it has no order in which to be causal. */
export interface Conv2dLayerArgs extends Omit<ConvLayerArgs, 'causal'> {
  /** Taps of the kernel, for both axes or `[height, width]`. Default 11. */
  window?: number | [number, number];
}

/**
 * AFT-conv over a grid as a tf.layers layer: projections to query, key (one per head) and value, `aftConv2d` with a learned normalised kernel, projection back.
 * Takes and gives `[batch, height, width, dim]`, of any size: a model trained at one size runs at another.
 *
 * @see Zhai et al. 2021, eq. 6 and 8, https://arxiv.org/abs/2105.14103
 * @example
 * const model = tf.sequential({ layers: [new AftConv2d({ inputShape: [null, null, 64], heads: 16, window: 7 })] });
 */
export class AftConv2d extends ConvolutionalLayer {
  /** @nocollapse */
  static className = 'AftConv2d';
  readonly #window: readonly [number, number];

  constructor({ window = 11, ...args }: Conv2dLayerArgs = {}) {
    super(args, {});
    if (this.causal) throw new OptionError('AftConv2d: a grid has no order in which to be causal; leave the option out');
    const taps = typeof window === 'number' ? [window, window] : window;
    if (!Array.isArray(taps) || taps.length !== 2 || !taps.every((count) => Number.isSafeInteger(count) && count > 0)) {
      throw new OptionError(`AftConv2d: option window must be an integer above 0, or two of them, got ${window}`);
    }
    this.#window = [taps[0]!, taps[1]!];
  }

  protected override axes(): readonly string[] {
    return ['batch', 'height', 'width', 'dim'];
  }

  protected override taps(): readonly number[] {
    return this.#window;
  }

  protected override mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor {
    const options = { queryActivation: this.queryActivation, keyMask };
    return aftConv2d(query as Tensor4D, key as Tensor4D, value as Tensor4D, this.readKernel() as Tensor3D, options);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), window: [...this.#window] };
  }
}

serialization.registerClass(AftConv2d);
