import { checkOptions, type OptionRule, ShapeError } from '@mixfold/tensor-ops';
import { add, matMul, reshape, type serialization, type Tensor, type Tensor3D, tidy, type Variable } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { type QueryActivation, queryActivations } from '../query-activation';

type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
type Initializer = ReturnType<typeof initializers.zeros>;
type LayerVariable = ReturnType<layers.Layer['addWeight']>;
type Shape = (number | null)[];

/** What every AFT layer is configured by. */
export interface AftLayerArgs extends LayerArgs {
  /** Width of query, key and value. Default: the width of the input. */
  dim?: number;
  /** Whether a target sees only the sources up to its own time. Default false. */
  causal?: boolean;
  /** What gates the context. Default `'sigmoid'`. */
  queryActivation?: QueryActivation;
  /** Whether the result is projected back to the width of the input. Default true. */
  outputProjection?: boolean;
  /** Whether the projections have biases. Default true. */
  useBias?: boolean;
  /** For the kernels of the projections. Default Glorot uniform. */
  kernelInitializer?: Initializer | string | serialization.ConfigDict;
}

const baseRules: Record<string, OptionRule> = {
  dim: 'positiveInteger',
  causal: 'boolean',
  queryActivation: queryActivations,
  outputProjection: 'boolean',
  useBias: 'boolean',
};

/** What tfjs itself takes and writes for any layer; their values are its own to check. */
const layerOptions = [
  'kernelInitializer',
  'name',
  'trainable',
  'dtype',
  'inputShape',
  'batchInputShape',
  'batchSize',
  'weights',
  'inputDType',
  'updatable',
  'customObjects',
];

/** tfjs reads initializers, by name, configuration or object, in its own layers only; so a dense layer reads and writes ours. */
function readInitializer(given: AftLayerArgs['kernelInitializer']): {
  initializer: Initializer;
  config: serialization.ConfigDictValue;
} {
  const initializer = given ?? 'glorotUniform';
  const dense = layers.dense({ units: 1, name: 'initializer', kernelInitializer: initializer as Initializer });
  const { kernelInitializer } = dense as unknown as { kernelInitializer: Initializer };
  return { initializer: kernelInitializer, config: dense.getConfig().kernelInitializer! };
}

/** A tf.layers layer that projects its input to query, key and value, mixes them, and projects back. Subclasses say how to mix. */
export abstract class ProjectedLayer extends layers.Layer {
  protected readonly causal: boolean;
  protected readonly queryActivation: QueryActivation;
  readonly #dim: number | undefined;
  readonly #outputProjection: boolean;
  readonly #useBias: boolean;
  readonly #kernelInitializer: ReturnType<typeof readInitializer>;
  readonly #kernels: Record<string, LayerVariable> = {};
  readonly #biases: Record<string, LayerVariable> = {};

  constructor(args: AftLayerArgs = {}, rules: Record<string, OptionRule> = {}) {
    super(args);
    const own = Object.fromEntries(Object.entries(args).filter(([name]) => !layerOptions.includes(name)));
    checkOptions(this.getClassName(), own, { ...baseRules, ...rules });
    this.causal = args.causal ?? false;
    this.queryActivation = args.queryActivation === undefined ? 'sigmoid' : args.queryActivation;
    this.#dim = args.dim;
    this.#outputProjection = args.outputProjection ?? true;
    this.#useBias = args.useBias ?? true;
    this.#kernelInitializer = readInitializer(args.kernelInitializer);
    this.supportsMasking = true;
  }

  /** Mixes over time. `keyMask` is the mask that an earlier layer computed, `[batch, time]`. */
  protected abstract mix(query: Tensor3D, key: Tensor3D, value: Tensor3D, keyMask: Tensor | undefined): Tensor3D;

  override build(inputShape: Shape | Shape[]): void {
    const [, , width] = this.#shapeOf(inputShape);
    if (typeof width !== 'number')
      throw new ShapeError(`${this.getClassName()}: the last axis of the input must be known, got ${width}`);
    const dim = this.#dim ?? width;
    for (const name of ['query', 'key', 'value']) this.#addProjection(name, width, dim);
    if (this.#outputProjection) this.#addProjection('output', dim, width);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const input = (Array.isArray(inputs) ? inputs[0]! : inputs) as Tensor3D;
      const masks = kwargs?.mask as Tensor | Tensor[] | null | undefined;
      const keyMask = (Array.isArray(masks) ? masks[0] : masks) ?? undefined;
      const [query, key, value] = ['query', 'key', 'value'].map((name) => this.#project(name, input)) as [
        Tensor3D,
        Tensor3D,
        Tensor3D,
      ];
      const mixed = this.mix(query, key, value, keyMask);
      return this.#outputProjection ? this.#project('output', mixed) : mixed;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, time, width] = this.#shapeOf(inputShape);
    return [batch!, time!, this.#outputProjection ? width! : (this.#dim ?? width!)];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return (Array.isArray(mask) ? mask[0]! : mask) as Tensor;
  }

  override getConfig(): serialization.ConfigDict {
    return {
      ...super.getConfig(),
      ...(this.#dim === undefined ? {} : { dim: this.#dim }),
      causal: this.causal,
      queryActivation: this.queryActivation,
      outputProjection: this.#outputProjection,
      useBias: this.#useBias,
      kernelInitializer: this.#kernelInitializer.config,
    };
  }

  #shapeOf(inputShape: Shape | Shape[]): Shape {
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    if (shape.length !== 3)
      throw new ShapeError(`${this.getClassName()}: input must have 3 axes [batch time dim], got [${shape.join(', ')}]`);
    return shape;
  }

  #addProjection(name: string, from: number, to: number): void {
    this.#kernels[name] = this.addWeight(`${name}Kernel`, [from, to], 'float32', this.#kernelInitializer.initializer);
    if (this.#useBias) this.#biases[name] = this.addWeight(`${name}Bias`, [to], 'float32', initializers.zeros());
  }

  /** In two dimensions: the gradient that tfjs has for a product of [batch, time, dim] and a matrix throws. */
  #project(name: string, x: Tensor3D): Tensor3D {
    const [batch, time, width] = x.shape;
    const kernel = this.#kernels[name]!.read() as Variable;
    const product = matMul(reshape(x, [batch * time, width]), kernel);
    const bias = this.#biases[name]?.read();
    return reshape(bias ? add(product, bias) : product, [batch, time, kernel.shape[1]!]);
  }
}
