import { OptionError } from '@mixfold/tensor-ops';
import {
  inputOf,
  knownShape,
  type LayerVariable,
  passedMask,
  projectLastAxis,
  type ReadInitializer,
  readInitializer,
  type Shape,
} from '@mixfold/tensor-ops/layers';
import {
  concat,
  expandDims,
  serialization,
  slice,
  squeeze,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tidy,
} from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import { mixHeads } from './mix-heads';
import { configOf, type ShiftAttentionArgs, type ShiftAttentionConfig } from './shift-attention-args';

/** What a causal shift attention remembers between calls: keys and values so far. */
export interface ShiftAttentionState {
  /** How many tokens it has seen. */
  readonly position: number;
  /** `[batch, time, heads * headDim]`; none before the first token, or without content heads. */
  readonly keys: Tensor3D | null;
  /** `[batch, time, all heads * headDim]`; without content heads only as many as the largest offset reaches back. */
  readonly values: Tensor3D | null;
}

/**
 * Attention by content and by shifts in one layer, in place of attention with positional encodings. Takes and gives `[batch, time, dim]`, of any length.
 *
 * `combine` says how shifts take part. `'heads'`: beside the content heads each offset is a head that reads the values that far back, and all are projected together.
 * `'gated'`: every head is a convex sum of its attention and of a learned mixture of the shifts, by a learned gate. `'logBias'`: a learned bias of the scores at the
 * offsets. `'valueShift'`: a learned mixture of the shifts moves the values before they are attended to. A mask from an earlier layer hides sources; a shift reads 0 there.
 *
 * A causal layer streams: `prefill` and `step` give the numbers of the whole call.
 *
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289; d'Ascoli et al. 2021 for the gate, https://arxiv.org/abs/2103.10697
 * @example
 * const model = tf.sequential({ layers: [new ShiftAttention({ inputShape: [null, 64], heads: 4, offsets: [1, 2], causal: true })] });
 */
export class ShiftAttention extends layers.Layer {
  /** @nocollapse */
  static className = 'ShiftAttention';
  readonly #config: ShiftAttentionConfig;
  readonly #kernelInitializer: ReadInitializer;
  readonly #kernels: Record<string, LayerVariable> = {};
  readonly #biases: Record<string, LayerVariable> = {};
  #gate: LayerVariable | undefined;
  #shiftWeights: LayerVariable | undefined;
  #headDim = 0;

  constructor(args: ShiftAttentionArgs = {}) {
    super(args);
    this.#config = configOf(args);
    this.#kernelInitializer = readInitializer(args.kernelInitializer ?? 'glorotUniform');
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [, width] = knownShape('ShiftAttention', inputShape, ['batch', 'time', 'dim']);
    const { heads, offsets, combine } = this.#config;
    const shares = heads > 0 ? heads : offsets.length;
    this.#headDim = this.#config.headDim ?? width / shares;
    if (!Number.isInteger(this.#headDim)) {
      throw new OptionError(
        `ShiftAttention: ${heads > 0 ? 'heads' : 'offsets'} must divide the width, got ${shares} and ${width}; or set headDim`,
      );
    }
    const valueHeads = combine === 'heads' ? heads + offsets.length : heads;
    if (heads > 0) {
      this.#addProjection('query', width, heads * this.#headDim);
      this.#addProjection('key', width, heads * this.#headDim);
    }
    this.#addProjection('value', width, valueHeads * this.#headDim);
    this.#addProjection('output', valueHeads * this.#headDim, width);
    const add = (name: string, shape: number[]) => this.addWeight(name, shape, 'float32', initializers.zeros());
    if (combine === 'gated') this.#gate = add('gate', [heads]);
    if (combine !== 'heads') this.#shiftWeights = add('shiftWeights', [heads, offsets.length]);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const { x, mask } = inputOf(inputs, kwargs);
      const content = this.#config.heads > 0;
      const [query, key] = content ? [this.#project('query', x), this.#project('key', x)] : [null, null];
      return this.#mix(query, key, this.#project('value', x), x.shape[1]!, mask);
    });
  }

  /** The state before the first token; for a causal layer. */
  initialState(): ShiftAttentionState {
    if (!this.#config.causal) throw new OptionError('ShiftAttention: only a causal layer streams; set causal');
    return { position: 0, keys: null, values: null };
  }

  /**
   * Continues a sequence.
   *
   * @param x - `[batch, time, dim]`, the next tokens. @param state - From `initialState` or an earlier call; it is not disposed.
   * @returns `output` `[batch, time, dim]` and the new state; the caller disposes both (`disposeState`).
   */
  prefill(x: Tensor3D, state: ShiftAttentionState): { output: Tensor3D; state: ShiftAttentionState } {
    if (!this.#config.causal) throw new OptionError('ShiftAttention: only a causal layer streams; set causal');
    if (!this.built) this.build(x.shape);
    const { heads, offsets } = this.#config;
    const results: { output: Tensor3D; values: Tensor3D; keys?: Tensor3D } = tidy(() => {
      const after = (before: Tensor3D | null, next: Tensor): Tensor3D =>
        (before ? concat([before, next as Tensor3D], 1) : next.clone()) as Tensor3D;
      const query = heads > 0 ? this.#project('query', x) : null;
      const keys = heads > 0 ? after(state.keys, this.#project('key', x)) : null;
      const values = after(state.values, this.#project('value', x));
      const output = this.#mix(query, keys, values, x.shape[1], undefined) as Tensor3D;
      const reach = Math.min(values.shape[1], Math.max(...offsets));
      const kept = heads > 0 ? values : slice(values, [0, values.shape[1] - reach, 0], [-1, reach, -1]);
      return { output, values: kept, ...(keys ? { keys } : {}) };
    });
    const { output, keys = null, values } = results;
    return { output, state: { position: state.position + x.shape[1], keys, values } };
  }

  /** `prefill` of one token: `x` and `output` are `[batch, dim]`. */
  step(x: Tensor2D, state: ShiftAttentionState): { output: Tensor2D; state: ShiftAttentionState } {
    const token = expandDims(x, 1) as Tensor3D;
    const next = this.prefill(token, state);
    const output = squeeze(next.output, [1]) as Tensor2D;
    token.dispose();
    next.output.dispose();
    return { output, state: next.state };
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return knownShape('ShiftAttention', inputShape, ['batch', 'time', 'dim'])[0];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
  }

  override getConfig(): serialization.ConfigDict {
    const { headDim, offsets, ...config } = this.#config;
    return {
      ...super.getConfig(),
      ...config,
      offsets: [...offsets],
      ...(headDim === undefined ? {} : { headDim }),
      kernelInitializer: this.#kernelInitializer.config,
    };
  }

  #mix(query: Tensor | null, key: Tensor | null, value: Tensor, targets: number, mask: Tensor | undefined): Tensor {
    const mixed = mixHeads({
      ...this.#config,
      headDim: this.#headDim,
      query,
      key,
      value,
      targets,
      mask,
      gate: this.#gate?.read(),
      shiftWeights: this.#shiftWeights?.read() as Tensor2D | undefined,
    });
    return this.#project('output', mixed);
  }

  #addProjection(name: string, from: number, to: number): void {
    this.#kernels[name] = this.addWeight(`${name}Kernel`, [from, to], 'float32', this.#kernelInitializer.initializer);
    if (this.#config.useBias) this.#biases[name] = this.addWeight(`${name}Bias`, [to], 'float32', initializers.zeros());
  }

  #project(name: string, x: Tensor): Tensor {
    return projectLastAxis(x, this.#kernels[name]!, this.#biases[name]);
  }
}

serialization.registerClass(ShiftAttention);
