import { OptionError, type OptionRule } from '@mixfold/tensor-ops';
import {
  type InitializerArg,
  type LayerVariable,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import type { serialization, Tensor2D } from '@tensorflow/tfjs-core';
import { initializers } from '@tensorflow/tfjs-layers';
import type { PositionBias } from '../position-bias';
import { type AftLayerArgs, ProjectedLayer } from './projected-layer';

/** How a layer learns its position bias. */
export interface BiasLayerArgs extends AftLayerArgs {
  /** The longest sequence that the bias covers. Default: the length of the input, where that is fixed. */
  maxLength?: number;
  /** Rank of the bias, `w = u v^T`, `2 maxLength biasRank` weights (the paper's choice); null for a weight per pair. Default 64. */
  biasRank?: number | null;
  /** For the bias or its factors. Default: the paper's normal distribution of mean 0 and variance 0.01. */
  biasInitializer?: InitializerArg;
}

const rules: Record<string, OptionRule> = { maxLength: 'positiveInteger', biasRank: 'unchecked', biasInitializer: 'unchecked' };

/** A projected layer with a learned position bias. */
export abstract class BiasedLayer extends ProjectedLayer {
  readonly #maxLength: number | undefined;
  readonly #biasRank: number | null;
  readonly #initializer: ReadInitializer;
  #weights: readonly LayerVariable[] = [];

  constructor(args: BiasLayerArgs = {}, ownRules: Record<string, OptionRule> = {}) {
    super(args, { ...rules, ...ownRules });
    const { biasRank } = args;
    if (biasRank !== undefined && biasRank !== null && !(Number.isSafeInteger(biasRank) && biasRank > 0)) {
      throw new OptionError(`${this.getClassName()}: option biasRank must be an integer above 0, or null, got ${biasRank}`);
    }
    this.#maxLength = args.maxLength;
    this.#biasRank = biasRank === undefined ? 64 : biasRank;
    this.#initializer = readInitializer(args.biasInitializer ?? initializers.randomNormal({ mean: 0, stddev: 0.1 }));
  }

  /** Columns of a bias without factors. */
  protected biasColumns(maxLength: number): number {
    return maxLength;
  }

  protected override addMixingWeights(_dim: number, [, time]: Shape): void {
    const length = this.#maxLength ?? time;
    if (typeof length !== 'number') {
      throw new OptionError(`${this.getClassName()}: maxLength is needed where the length of the input is not fixed`);
    }
    const add = (name: string, columns: number) =>
      this.addWeight(name, [length, columns], 'float32', this.#initializer.initializer);
    const rank = this.#biasRank;
    this.#weights = rank === null ? [add('positionBias', this.biasColumns(length))] : [add('biasU', rank), add('biasV', rank)];
  }

  /** The weights as they are now. */
  protected readBias(): PositionBias {
    const [u, v] = this.#weights.map((weight) => weight.read() as Tensor2D);
    return v === undefined ? u! : { u: u!, v };
  }

  override getConfig(): serialization.ConfigDict {
    return {
      ...super.getConfig(),
      ...(this.#maxLength === undefined ? {} : { maxLength: this.#maxLength }),
      biasRank: this.#biasRank,
      biasInitializer: this.#initializer.config,
    };
  }
}
