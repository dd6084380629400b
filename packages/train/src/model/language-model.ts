import { embedding, OptionError } from '@mixfold/tensor-ops';
import {
  add,
  matMul,
  reshape,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import { applyBlocks, type NoteLayer, planBlocks } from './blocks';
import { type LanguageModelConfig, type ModelConfig, parseLanguageModelConfig } from './language-model-config';
import { tokenMixer } from './mixers';
import type { Batch, Model } from './model';
import { normalized, planNorm } from './norm';
import type { Params } from './params';
import { layerNotes, type RecordLayer } from './record-layers';
import type { AttentionHeads, MixerState, RowSizes, StreamingMixer } from './token-mixer';
import { countPlanned, makeParams, type ParamsPlan, uniform } from './weight-plan';

/** What a language model remembers of a text, one state per layer. */
export type LanguageState = MixerState[];

/** A model of the next token, a byte as a rule; `apply` reads int32 `[batch, time]` and gives logits `[batch, time, classes]`. */
export interface LanguageModel extends Model<Batch> {
  /**
   * As of every model. `watch` sees the attention heads of every layer before they are joined; what it returns takes the place of their outputs, for
   * analysis; tensors that it keeps need `tf.keep`. With `'mssa'` and `'crate'`, `record` takes every layer as `traceLayers` of '@mixfold/subspace-attention/measure' wants it,
   * and owns the tokens in it.
   */
  apply(
    params: Params,
    batch: Batch,
    options: {
      training: boolean;
      watch?: ((layer: number, heads: AttentionHeads) => Tensor4D) | undefined;
      record?: RecordLayer | undefined;
    },
  ): Tensor;
  readonly config: ModelConfig;
  readonly mixer: StreamingMixer;
  /** Number of tokens it tells apart. */
  readonly classes: number;
  /** Number of weights, from their shapes: known before any is made. */
  readonly parameterCount: number;
  /** The state before the first token. */
  initialState(batch: number): LanguageState;
  /** Logits `[batch, time, classes]` of the next tokens of a text, and the state after it. The given state is not disposed. */
  prefill(params: Params, tokens: Tensor2D, state: LanguageState): { logits: Tensor3D; state: LanguageState };
  /** Logits `[batch, classes]` after one more token of every text, int32 `[batch]`. The given state is not disposed. */
  step(params: Params, tokens: Tensor1D, state: LanguageState): { logits: Tensor2D; state: LanguageState };
}

/**
 * Language model of bytes, or of `classes` other tokens: embedding, pre-LN blocks of a causal token mixer and what follows it, layer norm, head.
 *
 * $$ x \mathrel{+}= \mathrm{mixer}(\mathrm{LN}(x)) \qquad x \mathrel{+}= W_2\, \mathrm{gelu}(W_1 \mathrm{LN}(x)) $$
 *
 * The second half is this MLP, or nothing (attention-only models), or `x = ista(LN(x))` in the place of the stream (CRATE). `languageModelSizes` has published ones by name.
 *
 * @throws OptionError if the configuration has an unknown name, a bad size, or a mixer that does not exist.
 * @remarks Linear layers have no bias. One step of the stream costs O(layers dim^2), whatever the length of the text; with attention, O(length dim) more per layer,
 *   for which `'mhsa'` keeps two tensors and `'mssa'` and `'crate'` one.
 * @see Wang et al. 2025 for `'mssa'`, https://arxiv.org/abs/2506.03790; Yu et al. 2023 for `'crate'`, https://arxiv.org/abs/2306.01129
 * @example
 * const model = languageModel({ mixer: 'mssa', layers: 6, dim: 64, heads: 4 });
 */
export function languageModel(given: LanguageModelConfig = {}): LanguageModel {
  const config = parseLanguageModelConfig(given);
  const mixer = tokenMixer(config);
  const plan = planModel(config, mixer);

  /** `before` tokens of every text came earlier. */
  const embed = (params: Params, tokens: Tensor, before: number): Tensor2D => {
    const flat = reshape(tokens, [tokens.size]) as Tensor1D;
    const rows = embedding(params.embedding as Tensor2D, flat) as Tensor2D;
    if (config.position !== 'learned') return rows;
    const time = tokens.shape[1] ?? 1;
    if (before + time > config.maxLength!) {
      throw new OptionError(
        `languageModel: a text of ${before + time} bytes is longer than maxLength, ${config.maxLength}, which its learned positions end with`,
      );
    }
    const places = slice(params.positions as Tensor2D, [before, 0], [time, -1]);
    return reshape(add(reshape(rows, [-1, time, config.dim]), places), rows.shape) as Tensor2D;
  };

  /** Runs all blocks; `mix` is the only difference between whole sequences, prefill and step. */
  const forward = (params: Params, tokens: Tensor, mix: Mix, before = 0, note?: NoteLayer): Tensor2D => {
    const rows = applyBlocks(config, params.blocks as Params, embed(params, tokens, before), mix, note);
    const final = normalized(rows, params, 'norm');
    return config.tiedHead ? matMul(final, params.embedding as Tensor2D, false, true) : matMul(final, params.head as Tensor2D);
  };

  return {
    config,
    mixer,
    classes: config.classes,
    parameterCount: countPlanned(plan),
    init: (random) => makeParams(plan, random),
    apply: (params, { inputs }, { watch, record }) =>
      tidy(() => {
        const sizes = sizesOf(inputs as Tensor2D);
        const mix: Mix = (layer, weights, rows) => mixer.apply(weights, rows, sizes, watch && ((heads) => watch(layer, heads)));
        const logits = forward(params, inputs, mix, 0, layerNotes('languageModel', mixer, sizes, record));
        return reshape(logits, [sizes.batch, sizes.time, config.classes]);
      }),
    initialState: (batch) => Array.from({ length: config.layers }, () => mixer.initialState(batch, config.dim)),
    prefill: (params, tokens, before) => {
      const sizes = sizesOf(tokens);
      const { logits, state } = streaming(
        (mix) => forward(params, tokens, mix, before[0]?.position),
        (weights, rows, layer) => mixer.prefill(weights, rows, sizes, before[layer]!),
      );
      const shaped = reshape(logits, [sizes.batch, sizes.time, config.classes]) as Tensor3D;
      logits.dispose();
      return { logits: shaped, state };
    },
    step: (params, tokens, before) =>
      streaming(
        (mix) => forward(params, tokens, mix, before[0]?.position),
        (weights, rows, layer) => mixer.step(weights, rows, before[layer]!),
      ),
  };
}

type Mix = (layer: number, weights: Params, rows: Tensor2D) => Tensor2D;

/** Runs a forward pass that collects the new state of every layer, and keeps those tensors out of the tidy. */
function streaming(
  run: (mix: Mix) => Tensor2D,
  advance: (weights: Params, rows: Tensor2D, layer: number) => { output: Tensor2D; state: MixerState },
): { logits: Tensor2D; state: LanguageState } {
  const state: LanguageState = [];
  const { logits } = tidy(() => {
    const result = run((layer, weights, rows) => {
      const next = advance(weights, rows, layer);
      state.push(next.state);
      return next.output;
    });
    return { logits: result, kept: state.map(({ tensors }) => tensors) };
  });
  return { logits, state };
}

function sizesOf(tokens: Tensor2D): RowSizes {
  const [batch, time] = tokens.shape;
  return { batch, time };
}

function planModel(config: ModelConfig, mixer: StreamingMixer): ParamsPlan {
  const { dim, classes, tiedHead, position, maxLength } = config;
  return {
    ...(position === 'learned' ? { positions: uniform([maxLength!, dim], 0.1) } : {}),
    embedding: uniform([classes, dim], tiedHead ? 0.5 / Math.sqrt(dim) : 0.5),
    blocks: planBlocks(config, mixer, false),
    ...planNorm('norm', dim, false),
    ...(tiedHead ? {} : { head: uniform([dim, classes], 0.5 / Math.sqrt(dim)) }),
  };
}
