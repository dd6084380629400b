import { checkOptions, type OptionRule, ShapeError } from '@mixfold/tensor-ops';
import { add, matMul, reshape, type serialization, type Tensor, tidy, type Variable } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { type QueryActivation, queryActivations } from '../query-activation';

type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
type Initializer = ReturnType<typeof initializers.zeros>;
export type LayerVariable = ReturnType<layers.Layer['addWeight']>;
export type Shape = (number | null)[];
/** An initializer, its name, or its configuration. */
export type InitializerArg = Initializer | string | serialization.ConfigDict;

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
  kernelInitializer?: InitializerArg;
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
export function readInitializer(initializer: InitializerArg): {
  readonly initializer: Initializer;
  readonly config: serialization.ConfigDictValue;
} {
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

  /** `rules` are those of a subclass's options; `others` are options that the subclass checks itself. */
  constructor(args: AftLayerArgs = {}, rules: Record<string, OptionRule> = {}, others: readonly string[] = []) {
    super(args);
    const unchecked = [...layerOptions, ...others];
    const own = Object.fromEntries(Object.entries(args).filter(([name]) => !unchecked.includes(name)));
    checkOptions(this.getClassName(), own, { ...baseRules, ...rules });
    this.causal = args.causal ?? false;
    this.queryActivation = args.queryActivation === undefined ? 'sigmoid' : args.queryActivation;
    this.#dim = args.dim;
    this.#outputProjection = args.outputProjection ?? true;
    this.#useBias = args.useBias ?? true;
    this.#kernelInitializer = readInitializer(args.kernelInitializer ?? 'glorotUniform');
    this.supportsMasking = true;
  }

  /** Mixes over the positions. `keyMask` is the mask that an earlier layer computed, the shape of the input without its last axis. */
  protected abstract mix(query: Tensor, key: Tensor, value: Tensor, keyMask: Tensor | undefined): Tensor;

  /** The axes of the input, for errors. */
  protected axes(): readonly string[] {
    return ['batch', 'time', 'dim'];
  }

  /** Width of the keys. */
  protected keyWidth(dim: number): number {
    return dim;
  }

  /** Adds the weights that the mixing itself has. */
  protected addMixingWeights(_dim: number, _inputShape: Shape): void {}

  override build(inputShape: Shape | Shape[]): void {
    const shape = this.#shapeOf(inputShape);
    const width = shape.at(-1);
    if (typeof width !== 'number')
      throw new ShapeError(`${this.getClassName()}: the last axis of the input must be known, got ${width}`);
    const dim = this.#dim ?? width;
    // What may be refused comes first, before any weight is there.
    const keyWidth = this.keyWidth(dim);
    this.addMixingWeights(dim, shape);
    this.#addProjection('query', width, dim);
    this.#addProjection('key', width, keyWidth);
    this.#addProjection('value', width, dim);
    if (this.#outputProjection) this.#addProjection('output', dim, width);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const input = Array.isArray(inputs) ? inputs[0]! : inputs;
      const masks = kwargs?.mask as Tensor | Tensor[] | null | undefined;
      const keyMask = (Array.isArray(masks) ? masks[0] : masks) ?? undefined;
      const [query, key, value] = ['query', 'key', 'value'].map((name) => this.#project(name, input)) as [Tensor, Tensor, Tensor];
      const mixed = this.mix(query, key, value, keyMask);
      return this.#outputProjection ? this.#project('output', mixed) : mixed;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const shape = this.#shapeOf(inputShape);
    const width = shape.at(-1)!;
    return [...shape.slice(0, -1), this.#outputProjection ? width : (this.#dim ?? width)];
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
    const axes = this.axes();
    if (shape.length !== axes.length) {
      throw new ShapeError(
        `${this.getClassName()}: input must have ${axes.length} axes [${axes.join(' ')}], got [${shape.join(', ')}]`,
      );
    }
    return shape;
  }

  #addProjection(name: string, from: number, to: number): void {
    this.#kernels[name] = this.addWeight(`${name}Kernel`, [from, to], 'float32', this.#kernelInitializer.initializer);
    if (this.#useBias) this.#biases[name] = this.addWeight(`${name}Bias`, [to], 'float32', initializers.zeros());
  }

  /** In two dimensions: the gradient that tfjs has for a product of [batch, time, dim] and a matrix throws. */
  #project(name: string, x: Tensor): Tensor {
    const width = x.shape.at(-1)!;
    const kernel = this.#kernels[name]!.read() as Variable;
    const product = matMul(reshape(x, [x.size / width, width]), kernel);
    const bias = this.#biases[name]?.read();
    return reshape(bias ? add(product, bias) : product, [...x.shape.slice(0, -1), kernel.shape[1]!]);
  }
}
