import type { OptionRule } from '@mixfold/tensor-ops';
import {
  checkLayerOptions,
  type InitializerArg,
  inputOf,
  knownShape,
  type LayerArgs,
  type LayerVariable,
  passedMask,
  projectLastAxis,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import { type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { type QueryActivation, queryActivations } from '../query-activation';

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
  kernelInitializer: 'unchecked',
};

/** A tf.layers layer that projects its input to query, key and value, mixes them, and projects back. Subclasses say how to mix. */
export abstract class ProjectedLayer extends layers.Layer {
  protected readonly causal: boolean;
  protected readonly queryActivation: QueryActivation;
  readonly #dim: number | undefined;
  readonly #outputProjection: boolean;
  readonly #useBias: boolean;
  readonly #kernelInitializer: ReadInitializer;
  readonly #kernels: Record<string, LayerVariable> = {};
  readonly #biases: Record<string, LayerVariable> = {};

  /** `rules` are those of a subclass's own options. */
  constructor(args: AftLayerArgs = {}, rules: Record<string, OptionRule> = {}) {
    super(args);
    checkLayerOptions(this.getClassName(), args, { ...baseRules, ...rules });
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
    const [shape, width] = knownShape(this.getClassName(), inputShape, this.axes());
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
      const { x, mask } = inputOf(inputs, kwargs);
      const [query, key, value] = ['query', 'key', 'value'].map((name) => this.#project(name, x)) as [Tensor, Tensor, Tensor];
      const mixed = this.mix(query, key, value, mask);
      return this.#outputProjection ? this.#project('output', mixed) : mixed;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [shape, width] = knownShape(this.getClassName(), inputShape, this.axes());
    return [...shape.slice(0, -1), this.#outputProjection ? width : (this.#dim ?? width)];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
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

  #addProjection(name: string, from: number, to: number): void {
    this.#kernels[name] = this.addWeight(`${name}Kernel`, [from, to], 'float32', this.#kernelInitializer.initializer);
    if (this.#useBias) this.#biases[name] = this.addWeight(`${name}Bias`, [to], 'float32', initializers.zeros());
  }

  #project(name: string, x: Tensor): Tensor {
    return projectLastAxis(x, this.#kernels[name]!, this.#biases[name]);
  }
}
