import {
  checkLayerOptions,
  type InitializerArg,
  inputOf,
  knownShape,
  type LayerArgs,
  type LayerVariable,
  passedMask,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import { serialization, type Tensor, type Tensor2D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { ista } from '../ista/ista';

/** What an ISTA layer is configured by. */
export interface IstaArgs extends LayerArgs {
  /** Length of the step. Default 0.1. */
  stepSize?: number;
  /** What a code must exceed to count, taken off times the step. Default 0.1. */
  threshold?: number;
  /** Default He uniform, as in the public CRATE code. */
  dictionaryInitializer?: InitializerArg;
}

const axes = ['batch', 'tokens', 'dim'];

/**
 * One step of iterative shrinkage and thresholding as a tf.layers layer: `ista(x)` by a learned dictionary `[dim, dim]`, without norm or residual. Takes and gives
 * `[batch, tokens, dim]`, 0 or above.
 *
 * @see ista; Yu et al. 2023, https://arxiv.org/abs/2306.01129
 * @example
 * const model = tf.sequential({ layers: [new Ista({ inputShape: [null, 64], threshold: 0.2 })] });
 */
export class Ista extends layers.Layer {
  /** @nocollapse */
  static className = 'Ista';
  readonly #stepSize: number;
  readonly #threshold: number;
  readonly #initializer: ReadInitializer;
  #dictionary: LayerVariable | undefined;

  constructor(args: IstaArgs = {}) {
    super(args);
    checkLayerOptions('Ista', args, { stepSize: 'finite', threshold: 'finite', dictionaryInitializer: 'unchecked' });
    this.#stepSize = args.stepSize ?? 0.1;
    this.#threshold = args.threshold ?? 0.1;
    this.#initializer = readInitializer(args.dictionaryInitializer ?? 'heUniform');
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [, dim] = knownShape('Ista', inputShape, axes);
    this.#dictionary = this.addWeight('dictionary', [dim, dim], 'float32', this.#initializer.initializer);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const { x } = inputOf(inputs, kwargs);
      const dictionary = this.#dictionary!.read() as Tensor2D;
      return ista(x as Tensor3D, dictionary, { stepSize: this.#stepSize, threshold: this.#threshold });
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return knownShape('Ista', inputShape, axes)[0];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
  }

  override getConfig(): serialization.ConfigDict {
    return {
      ...super.getConfig(),
      stepSize: this.#stepSize,
      threshold: this.#threshold,
      dictionaryInitializer: this.#initializer.config,
    };
  }
}

serialization.registerClass(Ista);
