import { OptionError, type OptionRule, ShapeError } from '@mixfold/tensor-ops';
import {
  checkLayerOptions,
  type InitializerArg,
  inputOf,
  knownShape,
  type LayerArgs,
  type LayerVariable,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import { serialization, type Tensor, type Tensor1D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import {
  cpParameter,
  depthwiseParameter,
  fullParameter,
  lowRankParameter,
  type Parameter,
  separableParameter,
} from '../parameter/parameter';
import { type BasisDescription, describedBasis, plainDescription } from './basis-description';

/** What every structured convolution is configured by. */
export interface ParameterArgs extends LayerArgs {
  /** Channels of the output; of a depthwise parameter those of the input. */
  units?: number;
  /** The form of the parameter. Default `'full'`. */
  parameter?: 'full' | 'lowRank' | 'depthwise' | 'separable' | 'cp';
  /** Of `'lowRank'` and `'cp'`. */
  rank?: number;
  /** Whether there is a bias per output channel. Default true. */
  useBias?: boolean;
  /** For all factors. Default Glorot uniform. */
  kernelInitializer?: InitializerArg;
}

/** A structured convolution over a basis in plain data. */
export interface GeneralizedConvolutionArgs extends ParameterArgs {
  basis: BasisDescription;
}

const forms = ['full', 'lowRank', 'depthwise', 'separable', 'cp'] as const;

const rules: Record<string, OptionRule> = {
  units: 'positiveInteger',
  parameter: forms,
  rank: 'positiveInteger',
  useBias: 'boolean',
  kernelInitializer: 'unchecked',
};

/** A structured convolution with a learned parameter over a basis that a subclass makes. */
export abstract class StructuredLayer extends layers.Layer {
  readonly #args: ParameterArgs;
  readonly #initializer: ReadInitializer;
  readonly #factors: Record<string, LayerVariable> = {};
  #bias: LayerVariable | undefined;
  #basis: ConvolutionBasis | undefined;

  constructor(args: ParameterArgs, ownRules: Record<string, OptionRule>) {
    super(args);
    const className = this.getClassName();
    checkLayerOptions(className, args, { ...rules, ...ownRules });
    const { parameter = 'full', rank, units } = args;
    if ((parameter === 'lowRank' || parameter === 'cp') && rank === undefined) {
      throw new OptionError(`${className}: option rank is needed for a parameter of the form '${parameter}'`);
    }
    if (parameter !== 'depthwise' && units === undefined) throw new OptionError(`${className}: option units is needed`);
    this.#args = args;
    this.#initializer = readInitializer(args.kernelInitializer ?? 'glorotUniform');
  }

  protected abstract makeBasis(): ConvolutionBasis;

  override build(inputShape: Shape | Shape[]): void {
    const [[, nodes], dim] = this.#shapeOf(inputShape);
    const basis = this.#readBasis();
    if (nodes !== null && nodes !== basis.inputSize) {
      throw new ShapeError(`${this.getClassName()}: the input has ${nodes} nodes but the basis ${basis.inputSize}`);
    }
    const { parameter = 'full', rank = 0, units = dim } = this.#args;
    if (parameter === 'depthwise' && units !== dim) {
      throw new ShapeError(
        `${this.getClassName()}: a depthwise parameter keeps the ${dim} channels of the input, units is ${units}`,
      );
    }
    const { terms } = basis;
    const shapes: Record<(typeof forms)[number], Record<string, number[]>> = {
      full: { kernel: [terms, dim, units] },
      lowRank: { u: [terms, dim, rank], v: [terms, units, rank] },
      depthwise: { kernel: [terms, dim] },
      separable: { depthwise: [terms, dim], pointwise: [dim, units] },
      cp: { u: [dim, rank], mixing: [terms, rank], v: [units, rank] },
    };
    for (const [name, shape] of Object.entries(shapes[parameter])) {
      this.#factors[name] = this.addWeight(name, shape, 'float32', this.#initializer.initializer);
    }
    if (this.#args.useBias ?? true) this.#bias = this.addWeight('bias', [units], 'float32', initializers.zeros());
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      return generalizedConvolution(inputOf(inputs, kwargs).x as Tensor3D, this.#readBasis(), this.#readParameter(), {
        bias: this.#bias?.read() as Tensor1D | undefined,
      });
    });
  }

  #readParameter(): Parameter {
    const own = Object.fromEntries(Object.entries(this.#factors).map(([name, weight]) => [name, weight.read()])) as Record<
      string,
      never
    >;
    const { kernel, u, v, mixing, depthwise, pointwise } = own;
    switch (this.#args.parameter ?? 'full') {
      case 'full':
        return fullParameter(kernel!);
      case 'lowRank':
        return lowRankParameter({ u: u!, v: v! });
      case 'depthwise':
        return depthwiseParameter(kernel!);
      case 'separable':
        return separableParameter({ depthwise: depthwise!, pointwise: pointwise! });
      case 'cp':
        return cpParameter({ u: u!, mixing: mixing!, v: v! });
    }
  }

  #readBasis(): ConvolutionBasis {
    this.#basis ??= this.makeBasis();
    return this.#basis;
  }

  #shapeOf(inputShape: Shape | Shape[]): [shape: Shape, dim: number] {
    return knownShape(this.getClassName(), inputShape, ['batch', 'nodes', 'dim']);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [shape, dim] = this.#shapeOf(inputShape);
    return [shape[0]!, this.#readBasis().outputSize, this.#args.units ?? dim];
  }

  override dispose(): ReturnType<layers.Layer['dispose']> {
    const result = super.dispose();
    if (result.refCountAfterDispose === 0) this.#basis?.dispose();
    return result;
  }

  override getConfig(): serialization.ConfigDict {
    const { units, parameter = 'full', rank, useBias = true } = this.#args;
    return {
      ...super.getConfig(),
      ...(units === undefined ? {} : { units }),
      parameter,
      ...(rank === undefined ? {} : { rank }),
      useBias,
      kernelInitializer: this.#initializer.config,
    };
  }
}

/**
 * A structured convolution as a tf.layers layer: `y = sum_k A_k^T x Theta_k + bias` with a learned parameter, over a grid or a graph that the model is saved
 * with. Takes `[batch, nodes, dim]`, gives `[batch, output nodes, units]`.
 *
 * @see generalizedConvolution
 * @example
 * const layer = new GeneralizedConvolution({ units: 32, basis: { kind: 'grid1d', length: 64, window: 5, padding: 'causal' } });
 */
export class GeneralizedConvolution extends StructuredLayer {
  /** @nocollapse */
  static className = 'GeneralizedConvolution';
  readonly #description: BasisDescription;

  constructor(args: GeneralizedConvolutionArgs) {
    super(args, { basis: 'unchecked' });
    if (typeof args?.basis !== 'object')
      throw new OptionError("GeneralizedConvolution: option basis is needed, such as { kind: 'grid1d', length, window }");
    this.#description = plainDescription(args.basis) as BasisDescription;
  }

  protected override makeBasis(): ConvolutionBasis {
    return describedBasis('GeneralizedConvolution', this.#description);
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), basis: this.#description as unknown as serialization.ConfigDict };
  }
}

serialization.registerClass(GeneralizedConvolution);
