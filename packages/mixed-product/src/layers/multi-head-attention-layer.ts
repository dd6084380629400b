import { matMul, OptionError, type OptionRule, ShapeError } from '@mixfold/tensor-ops';
import {
  checkLayerOptions,
  type InitializerArg,
  type LayerArgs,
  type LayerVariable,
  passedMask,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import { serialization, type Tensor, type Tensor1D, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { scaledDotProductAttention } from '../scaled-dot-product-attention/scaled-dot-product-attention';
import { addBias } from '../tape/add-bias';
import { permuted, viewAs } from '../tape/views';

/** What a multi-head attention is configured by. */
export interface MultiHeadAttentionArgs extends LayerArgs {
  heads: number;
  /** Size of each head's queries, keys and values. Default: the width of the queries over the heads. */
  headDim?: number;
  /** Heads of keys and values; must divide `heads`. Default: as many. */
  keyHeads?: number;
  /** Width of the result. Default: that of the queries. */
  outputDim?: number;
  /** Whether a target sees only the sources up to its own time, counted from the ends. Default false. */
  causal?: boolean;
  /** Share of attention weights dropped in training. Default 0. */
  dropout?: number;
  /** Of the dropout; every call in training draws anew from it. Default 0. */
  seed?: number;
  /** Whether the projections have biases. Default true. */
  useBias?: boolean;
  /** For the kernels of the projections. Default Glorot uniform. */
  kernelInitializer?: InitializerArg;
}

const rules: Record<string, OptionRule> = {
  heads: 'positiveInteger',
  headDim: 'positiveInteger',
  keyHeads: 'positiveInteger',
  outputDim: 'positiveInteger',
  causal: 'boolean',
  dropout: 'nonNegative',
  seed: 'nonNegativeInteger',
  useBias: 'boolean',
  kernelInitializer: 'unchecked',
};

/**
 * Multi-head attention as a tf.layers layer, by the fused `scaledDotProductAttention`: it trains, saves and loads.
 *
 * Takes `[batch, time, dim]` and attends to itself; or a list: queries and what they attend to, or queries, keys and values. Gives `[batch, time, outputDim]`. A mask
 * from an earlier layer, of the keys, hides their sources; of the queries it is passed on.
 *
 * @see Vaswani et al. 2017, section 3.2.2, https://arxiv.org/abs/1706.03762; `multiHeadAttentionToMixedProduct` reads its weights, layout `'matrix'`.
 * @example
 * const model = tf.sequential({ layers: [new MultiHeadAttention({ inputShape: [32, 64], heads: 8, causal: true })] });
 */
export class MultiHeadAttention extends layers.Layer {
  /** @nocollapse */
  static className = 'MultiHeadAttention';
  readonly #args: MultiHeadAttentionArgs;
  readonly #initializer: ReadInitializer;
  readonly #kernels: Record<string, LayerVariable> = {};
  readonly #biases: Record<string, LayerVariable> = {};
  #calls = 0;

  constructor(args: MultiHeadAttentionArgs) {
    super(args);
    checkLayerOptions('MultiHeadAttention', args, rules);
    const { heads, keyHeads = heads, dropout = 0 } = args;
    if (heads === undefined) throw new OptionError('MultiHeadAttention: option heads is needed');
    if (heads % keyHeads !== 0)
      throw new OptionError(`MultiHeadAttention: keyHeads must divide heads, got ${keyHeads} and ${heads}`);
    if (dropout >= 1) throw new OptionError(`MultiHeadAttention: option dropout must be below 1, got ${dropout}`);
    this.#args = args;
    this.#initializer = readInitializer(args.kernelInitializer ?? 'glorotUniform');
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [query, key, value] = widthsOf(inputShape);
    const { heads, keyHeads = heads, outputDim = query } = this.#args;
    const headDim = this.#headDim(query);
    this.#addProjection('query', query, heads * headDim);
    this.#addProjection('key', key, keyHeads * headDim);
    this.#addProjection('value', value, keyHeads * headDim);
    this.#addProjection('output', heads * headDim, outputDim);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const given = (Array.isArray(inputs) ? inputs : [inputs]) as Tensor3D[];
      const [query, key = query!, value = key] = given;
      const { heads, keyHeads = heads, causal = false, dropout = 0, seed = 0 } = this.#args;
      const masks = kwargs?.mask as Tensor | (Tensor | null)[] | null | undefined;
      const keyMask = Array.isArray(masks) ? masks[Math.min(1, given.length - 1)] : masks;
      const mask = keyMask ? viewAs(keyMask, [keyMask.shape[0]!, 1, 1, keyMask.shape[1]!]) : undefined;
      // An odd number times the call is another one for every call.
      const drawn = (seed + Math.imul(this.#calls, 0x9e3779b1)) >>> 0;
      const isTraining = kwargs?.training === true && dropout > 0;
      if (isTraining) this.#calls++;
      const attended = scaledDotProductAttention(
        this.#project('query', query!, heads),
        this.#project('key', key, keyHeads),
        this.#project('value', value, keyHeads),
        { causal, mask, ...(isTraining ? { dropout: { rate: dropout, seed: drawn } } : {}) },
      );
      const [batch, , time, headDim] = attended.shape;
      return this.#apply('output', viewAs<Tensor3D>(permuted(attended, [0, 2, 1, 3]), [batch, time, heads * headDim]));
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [query] = shapesOf(inputShape) as [Shape];
    return [query[0]!, query[1]!, this.#args.outputDim ?? query[2]!];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
  }

  override getConfig(): serialization.ConfigDict {
    const { heads, headDim, keyHeads, outputDim, causal = false, dropout = 0, seed = 0, useBias = true } = this.#args;
    const sizes = Object.fromEntries(Object.entries({ headDim, keyHeads, outputDim }).filter(([, size]) => size !== undefined));
    return { ...super.getConfig(), heads, ...sizes, causal, dropout, seed, useBias, kernelInitializer: this.#initializer.config };
  }

  #headDim(width: number): number {
    const { heads, headDim } = this.#args;
    if (headDim !== undefined) return headDim;
    if (width % heads === 0) return width / heads;
    throw new OptionError(
      `MultiHeadAttention: heads must divide the width of the queries, got ${heads} and ${width}; or give headDim`,
    );
  }

  #addProjection(name: string, from: number, to: number): void {
    this.#kernels[name] = this.addWeight(`${name}Kernel`, [from, to], 'float32', this.#initializer.initializer);
    if (this.#args.useBias ?? true) this.#biases[name] = this.addWeight(`${name}Bias`, [to], 'float32', initializers.zeros());
  }

  #apply(name: string, x: Tensor3D): Tensor3D {
    return addBias(matMul(x, this.#kernels[name]!.read()) as Tensor3D, this.#biases[name]?.read() as Tensor1D | undefined);
  }

  /** `[batch, heads, time, headDim]`. */
  #project(name: string, x: Tensor3D, heads: number): Tensor4D {
    const made = this.#apply(name, x);
    const [batch, time, width] = made.shape;
    return permuted(viewAs(made, [batch, time, heads, width / heads]), [0, 2, 1, 3]);
  }
}

function shapesOf(inputShape: Shape | Shape[]): Shape[] {
  const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
  const strange = shapes.find((shape) => shape.length !== 3);
  if (strange || shapes.length > 3) {
    throw new ShapeError(
      `MultiHeadAttention: inputs must be one to three tensors of 3 axes [batch time dim], got ${shapes.map((shape) => `[${shape.join(', ')}]`).join(', ')}`,
    );
  }
  return shapes;
}

/** The widths of queries, keys and values. */
function widthsOf(inputShape: Shape | Shape[]): [number, number, number] {
  const widths = shapesOf(inputShape).map((shape) => shape[2]);
  const unknown = widths.find((width) => typeof width !== 'number');
  if (unknown !== undefined)
    throw new ShapeError(`MultiHeadAttention: the last axis of every input must be known, got ${unknown}`);
  const [query, key = query, value = key] = widths as number[];
  return [query!, key!, value!];
}

serialization.registerClass(MultiHeadAttention);
