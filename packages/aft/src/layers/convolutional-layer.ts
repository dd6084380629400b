import { OptionError, type OptionRule } from '@mixfold/tensor-ops';
import type { LayerVariable } from '@mixfold/tensor-ops/layers';
import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import { initializers } from '@tensorflow/tfjs-layers';
import { normalizeConvKernel } from '../normalize-conv-kernel/normalize-conv-kernel';
import { type AftLayerArgs, ProjectedLayer } from './projected-layer';

/** What the convolutional layers are configured by. */
export interface ConvLayerArgs extends AftLayerArgs {
  /** Heads, each with a key and a kernel; must divide `dim`. Default: one per channel, the paper's most accurate. */
  heads?: number;
}

/** A projected layer with keys per head and a learned kernel per head, normalised as in the paper's eq. 8; it starts as AFT-simple. */
export abstract class ConvolutionalLayer extends ProjectedLayer {
  readonly #heads: number | undefined;
  #kernel: Record<'taps' | 'gain' | 'bias', LayerVariable> | undefined;

  constructor(args: ConvLayerArgs, ownRules: Record<string, OptionRule>) {
    super(args, { heads: 'positiveInteger', ...ownRules });
    this.#heads = args.heads;
  }

  /** The taps of one head's kernel, per axis. */
  protected abstract taps(): readonly number[];

  protected override keyWidth(dim: number): number {
    const heads = this.#heads ?? dim;
    if (dim % heads !== 0) throw new OptionError(`${this.getClassName()}: heads must divide dim, got ${heads} and ${dim}`);
    return heads;
  }

  protected override addMixingWeights(dim: number): void {
    const heads = this.keyWidth(dim);
    const add = (name: string, shape: number[], initializer: ReturnType<typeof initializers.zeros>) =>
      this.addWeight(name, shape, 'float32', initializer);
    this.#kernel = {
      // Of any scale, for it is normalised; equal taps would have none.
      taps: add('convKernel', [heads, ...this.taps()], initializers.randomNormal({ mean: 0, stddev: 1 })),
      gain: add('convGain', [heads], initializers.zeros()),
      bias: add('convBias', [heads], initializers.zeros()),
    };
  }

  /** `[heads, ...taps]`, normalised. */
  protected readKernel(): Tensor {
    const { taps, gain, bias } = this.#kernel!;
    return normalizeConvKernel(taps.read(), gain.read() as never, bias.read() as never);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), ...(this.#heads === undefined ? {} : { heads: this.#heads }) };
  }
}
