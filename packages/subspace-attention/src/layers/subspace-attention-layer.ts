import { serialization, type Tensor3D } from '@tensorflow/tfjs-core';
import type { SubspaceLayerArgs } from './subspace-args';
import { type Attend, SubspaceLayer } from './subspace-layer';

/**
 * Multi-head subspace self-attention as a tf.layers layer, without norm or residual: `mssa(x)`, and a bias if asked for. Takes and gives `[batch, tokens, dim]`, of any
 * length; a mask from an earlier layer is the key mask. A causal layer streams: `initialState`, `prefill` and `step` give the numbers of the whole call.
 *
 * @see mssa; Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const model = tf.sequential({ layers: [new SubspaceAttention({ inputShape: [null, 64], heads: 4, causal: true })] });
 */
export class SubspaceAttention extends SubspaceLayer {
  /** @nocollapse */
  static className = 'SubspaceAttention';

  // Of no other options than those of every such layer; a constructor of its own keeps the type of its argument.
  constructor(args: SubspaceLayerArgs) {
    super(args);
  }

  protected override attended(tokens: Tensor3D): Tensor3D {
    return tokens;
  }

  protected override transform(tokens: Tensor3D, attend: Attend): Tensor3D {
    return attend(tokens);
  }
}

serialization.registerClass(SubspaceAttention);
