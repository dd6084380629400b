import { OptionError } from '@mixfold/tensor-ops';
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
import { add, expandDims, mul, serialization, type Tensor, type Tensor2D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { type Boundary, boundaries } from '../boundary';
import { shiftConvolution } from '../shift-convolution/shift-convolution';
import { shiftConvolutionDepthwise } from '../shift-convolution/shift-convolution-depthwise';

/** What a shift convolution is configured by. */
export interface ShiftConvolutionArgs extends LayerArgs {
  /** Target - source, one per term. */
  offsets: readonly number[];
  /** Width of the output. Default: that of the input. */
  channels?: number;
  /** What is read beyond the ends. Default `'zero'`. */
  boundary?: Boundary;
  /** Whether each channel has numbers of its own instead of matrices. Default false. */
  depthwise?: boolean;
  /** Default true. */
  useBias?: boolean;
  /** Default Glorot uniform. */
  kernelInitializer?: InitializerArg;
}

/**
 * `shiftConvolution` as a tf.layers layer, with a bias. Takes `[batch, time, dim]` of any length and gives `[batch, time, channels]`; what an earlier layer has masked is read as 0.
 *
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const model = tf.sequential({ layers: [new ShiftConvolution({ inputShape: [null, 64], offsets: causalOffsets(4) })] });
 */
export class ShiftConvolution extends layers.Layer {
  /** @nocollapse */
  static className = 'ShiftConvolution';
  readonly #offsets: readonly number[];
  readonly #channels: number | undefined;
  readonly #boundary: Boundary;
  readonly #depthwise: boolean;
  readonly #useBias: boolean;
  readonly #kernelInitializer: ReadInitializer;
  #theta: LayerVariable | undefined;
  #bias: LayerVariable | undefined;

  constructor(args: ShiftConvolutionArgs) {
    super(args ?? {});
    checkLayerOptions('ShiftConvolution', args ?? {}, {
      offsets: 'unchecked',
      channels: 'positiveInteger',
      boundary: boundaries,
      depthwise: 'boolean',
      useBias: 'boolean',
      kernelInitializer: 'unchecked',
    });
    const { offsets, channels, boundary = 'zero', depthwise = false, useBias = true, kernelInitializer } = args ?? {};
    if (!Array.isArray(offsets) || offsets.length === 0 || !offsets.every(Number.isSafeInteger)) {
      throw new OptionError(
        `ShiftConvolution: option offsets must be an array of at least one integer, got [${String(offsets)}]`,
      );
    }
    this.#offsets = [...offsets];
    this.#channels = channels;
    this.#boundary = boundary;
    this.#depthwise = depthwise;
    this.#useBias = useBias;
    this.#kernelInitializer = readInitializer(kernelInitializer ?? 'glorotUniform');
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [, width] = knownShape('ShiftConvolution', inputShape, ['batch', 'time', 'dim']);
    const channels = this.#channels ?? width;
    if (this.#depthwise && channels !== width) {
      throw new OptionError(`ShiftConvolution: depthwise keeps the width ${width}, but channels is ${channels}; leave it out`);
    }
    const terms = this.#offsets.length;
    const shape = this.#depthwise ? [terms, width] : [terms, width, channels];
    this.#theta = this.addWeight('theta', shape, 'float32', this.#kernelInitializer.initializer);
    if (this.#useBias) this.#bias = this.addWeight('bias', [channels], 'float32', initializers.zeros());
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const { x, mask } = inputOf(inputs, kwargs);
      const given = (mask ? mul(x, expandDims(mask, 2)) : x) as Tensor3D;
      const options = { offsets: this.#offsets, boundary: this.#boundary };
      const theta = this.#theta!.read();
      const output = this.#depthwise
        ? shiftConvolutionDepthwise(given, theta as Tensor2D, options)
        : shiftConvolution(given, theta as Tensor3D, options);
      return this.#bias ? add(output, this.#bias.read()) : output;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [shape, width] = knownShape('ShiftConvolution', inputShape, ['batch', 'time', 'dim']);
    return [...shape.slice(0, 2), this.#channels ?? width];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
  }

  override getConfig(): serialization.ConfigDict {
    return {
      ...super.getConfig(),
      offsets: [...this.#offsets],
      ...(this.#channels === undefined ? {} : { channels: this.#channels }),
      boundary: this.#boundary,
      depthwise: this.#depthwise,
      useBias: this.#useBias,
      kernelInitializer: this.#kernelInitializer.config,
    };
  }
}

serialization.registerClass(ShiftConvolution);
