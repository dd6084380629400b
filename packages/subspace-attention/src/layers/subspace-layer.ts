import { OptionError, type OptionRule } from '@mixfold/tensor-ops';
import { inputOf, knownShape, type LayerVariable, passedMask, type Shape } from '@mixfold/tensor-ops/layers';
import {
  add,
  expandDims,
  type serialization,
  squeeze,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import { initializers, layers } from '@tensorflow/tfjs-layers';
import type { LayerRecord } from '../measure/trace/layer-record';
import { type MssaOptions, mssa } from '../mssa/mssa';
import { type MssaState, mssaState } from '../mssa/state';
import { type MssaStreamed, mssaPrefill } from '../mssa/streaming';
import { checkSubspaceArgs, headDimOf, type SubspaceLayerArgs } from './subspace-args';
import { initializerOf, type ReadSubspaceInitializer, readSubspaceInitializer } from './subspace-initializer';

const axes = ['batch', 'tokens', 'dim'];

/** The attention of a layer, whole or continued: `[batch, tokens, dim]` to the same. */
export type Attend = (attended: Tensor3D) => Tensor3D;

/** A tf.layers layer around `mssa`: it has the weights; subclasses say what happens before and after. Gives the shape that it takes. */
export abstract class SubspaceLayer extends layers.Layer {
  readonly #args: SubspaceLayerArgs;
  readonly #subspaceInitializer: ReadSubspaceInitializer;
  readonly #outputInitializer: ReadSubspaceInitializer | 'subspaces';
  readonly #weights: Partial<Record<'subspaces' | 'output' | 'outputBias' | 'queryKeyGain', LayerVariable>> = {};

  /** `rules` are those of a subclass's own options. */
  constructor(args: SubspaceLayerArgs, rules: Record<string, OptionRule> = {}) {
    super(args ?? {});
    const className = this.getClassName();
    checkSubspaceArgs(className, args, rules);
    this.#args = args;
    const { subspaceInitializer = 'kaimingUniform', outputInitializer = 'kaimingUniform' } = args;
    this.#subspaceInitializer = readSubspaceInitializer(className, 'subspaceInitializer', subspaceInitializer);
    this.#outputInitializer =
      outputInitializer === 'subspaces'
        ? outputInitializer
        : readSubspaceInitializer(className, 'outputInitializer', outputInitializer);
    this.supportsMasking = true;
  }

  /** What the layer makes of tokens `[batch, tokens, dim]`, by its attention; everything else in it looks at one token at a time. */
  protected abstract transform(tokens: Tensor3D, attend: Attend): Tensor3D;

  /** What the attention reads of them. */
  protected abstract attended(tokens: Tensor3D): Tensor3D;

  /** Adds the weights that the layer has beside those of the attention. */
  protected addOwnWeights(_dim: number): void {}

  override build(inputShape: Shape | Shape[]): void {
    const [, dim] = knownShape(this.getClassName(), inputShape, axes);
    const { heads, output = 'tied', outputBias = false, qkNorm = false } = this.#args;
    const headDim = headDimOf(this.getClassName(), this.#args, dim);
    const add = (name: string, shape: number[], initializer: ReturnType<typeof initializers.zeros>) =>
      this.addWeight(name, shape, 'float32', initializer);
    const subspaces = add('subspaces', [heads, dim, headDim], this.#subspaceInitializer.subspaces);
    this.#weights.subspaces = subspaces;
    if (output === 'untied') {
      const tied = () => initializerOf(() => transpose(subspaces.read(), [0, 2, 1]));
      const initializer = this.#outputInitializer === 'subspaces' ? tied() : this.#outputInitializer.output;
      this.#weights.output = add('output', [heads, headDim, dim], initializer);
    }
    if (outputBias) this.#weights.outputBias = add('outputBias', [dim], initializers.zeros());
    if (qkNorm) this.#weights.queryKeyGain = add('queryKeyGain', [headDim], initializers.ones());
    this.addOwnWeights(dim);
    super.build(inputShape);
  }

  override call(inputs: Tensor | Tensor[], kwargs: Record<string, unknown>): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs as never);
      const { x, mask } = inputOf(inputs, kwargs);
      return this.transform(x as Tensor3D, this.#whole(mask));
    });
  }

  /**
   * The state of a causal layer before its first token. `disposeState` of '@mixfold/subspace-attention' frees it.
   *
   * @param batch - sequences side by side.
   * @throws OptionError for a layer that is not causal; for one with `qkNorm`, whose queries and keys are not in the projected tokens that a state holds; before the layer knows
   *   its width.
   */
  initialState(batch: number): MssaState {
    this.#checkStreams();
    const { heads, headDim = this.#weights.subspaces?.shape[2] } = this.#args;
    if (headDim == null)
      throw new OptionError(`${this.getClassName()}: its width is not known before its first call; give headDim, or build it`);
    return mssaState(batch, heads, headDim);
  }

  /**
   * Continues a sequence: any split gives the numbers of the whole call.
   *
   * @param tokens - `[batch, time, dim]`, the next ones. @param state - From `initialState` or an earlier call; it is not disposed.
   * @returns `output` `[batch, time, dim]` and the new state; the caller disposes both.
   * @throws As `initialState`; ShapeError.
   * @remarks The state is one tensor of projected tokens, half of a cache of keys and values.
   */
  prefill(tokens: Tensor3D, state: MssaState): MssaStreamed<Tensor3D> {
    this.#checkStreams();
    if (!this.built) this.build(tokens.shape);
    const { keyMask: _, causal: __, queryKeyGain: ___, ...options } = this.#options(undefined);
    return tidied(() => {
      let next = state;
      const output = this.transform(tokens, (attended) => {
        const streamed = mssaPrefill(attended, this.#subspaces(), state, { ...options, output: this.#output() });
        next = streamed.state;
        return this.#withBias(streamed.output);
      });
      return { output, state: next };
    });
  }

  /** `prefill` of one token: `token` and `output` are `[batch, dim]`. */
  step(token: Tensor2D, state: MssaState): MssaStreamed<Tensor2D> {
    return tidied(() => {
      const next = this.prefill(expandDims(token, 1) as Tensor3D, state);
      return { output: squeeze(next.output, [1]) as Tensor2D, state: next.state };
    });
  }

  /**
   * What the layer does with tokens, for `traceLayers`.
   *
   * @param tokens - `[batch, tokens, dim]`, as they enter. @param keyMask - `[batch, tokens]`, 0 where there is none.
   * @returns New tensors, but for the weights and what was given.
   */
  record(tokens: Tensor3D, keyMask?: Tensor): LayerRecord {
    if (!this.built) this.build(tokens.shape);
    const [attended, output] = tidy(() => [this.attended(tokens).clone(), this.transform(tokens, this.#whole(keyMask))] as const);
    return { name: this.name, tokens, attended, output, subspaces: this.#subspaces(), options: this.#options(keyMask) };
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return knownShape(this.getClassName(), inputShape, axes)[0];
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return passedMask(mask);
  }

  override getConfig(): serialization.ConfigDict {
    const { heads, headDim, output = 'tied', outputBias = false, causal = false, scale, maskSelf = false } = this.#args;
    const { phi = 'softmax', qkNorm = false } = this.#args;
    const given = Object.fromEntries(Object.entries({ headDim, scale }).filter(([, value]) => value !== undefined));
    const written = this.#outputInitializer === 'subspaces' ? this.#outputInitializer : this.#outputInitializer.config;
    return {
      ...super.getConfig(),
      heads,
      ...given,
      output,
      outputBias,
      causal,
      maskSelf,
      phi: typeof phi === 'object' ? ({ ...phi } as serialization.ConfigDict) : phi,
      qkNorm,
      subspaceInitializer: this.#subspaceInitializer.config,
      ...(output === 'untied' ? { outputInitializer: written } : {}),
    };
  }

  #checkStreams(): void {
    const className = this.getClassName();
    if (!this.#args.causal) throw new OptionError(`${className}: only a causal layer streams; set causal`);
    if (this.#args.qkNorm) {
      throw new OptionError(
        `${className}: a layer with qkNorm does not stream: its queries and keys are not among the projected tokens of the state`,
      );
    }
  }

  /** `mssa` of a whole sequence. */
  #whole(keyMask: Tensor | undefined): Attend {
    const options = { ...this.#options(keyMask), output: this.#output() };
    return (attended) => this.#withBias(mssa(attended, this.#subspaces(), options));
  }

  #withBias(mixed: Tensor3D): Tensor3D {
    const bias = this.#weights.outputBias?.read();
    return bias ? add(mixed, bias) : mixed;
  }

  #output(): Tensor3D | undefined {
    return this.#weights.output?.read() as Tensor3D | undefined;
  }

  #subspaces(): Tensor3D {
    return this.#weights.subspaces!.read() as Tensor3D;
  }

  #options(keyMask: Tensor | undefined): MssaOptions {
    const { causal = false, scale, maskSelf = false, phi = 'softmax' } = this.#args;
    const queryKeyGain = this.#weights.queryKeyGain?.read() as Tensor1D | undefined;
    return { causal, scale, maskSelf, phi, keyMask, queryKeyGain };
  }
}

/** `tidy` for a result that holds tensors beside other things. */
const tidied = <T>(run: () => T): T => tidy(run as never) as unknown as T;
