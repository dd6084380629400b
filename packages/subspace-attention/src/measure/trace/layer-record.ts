import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { MssaOptions } from '../../mssa/mssa';

/** What a layer with subspace attention did, as `traceLayers` takes it: the layers of '@mixfold/subspace-attention/layers' tell it, any other model writes it down. */
export interface LayerRecord {
  /** Default: `layer` and its number. */
  readonly name?: string | undefined;
  /** `[batch, tokens, dim]` or `[tokens, dim]`: the tokens that enter the layer. */
  readonly tokens: Tensor3D | Tensor2D;
  /** The tokens that the attention reads, normalised as a rule. Default: `tokens`. */
  readonly attended?: Tensor3D | Tensor2D | undefined;
  /** The tokens that leave the layer. Default: not known, and not measured. */
  readonly output?: Tensor3D | Tensor2D | undefined;
  /** `[heads, dim, headDim]`. */
  readonly subspaces: Tensor3D;
  /** How the layer attends: the options that its `mssa` has. */
  readonly options?: MssaOptions | undefined;
}
