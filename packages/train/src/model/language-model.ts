import { embedding, gelu, layerNorm, OptionError } from '@mixfold/tensor-ops';
import {
  add,
  matMul,
  ones,
  reshape,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';
import { type LanguageModelConfig, type ModelConfig, parseLanguageModelConfig } from './language-model-config';
import { tokenMixer } from './mixers';
import type { Batch, Model } from './model';
import type { Params } from './params';
import type { AttentionHeads, MixerState, RowSizes, TokenMixer } from './token-mixer';
import { uniformWeight } from './uniform-weight';

const norm = (rows: Tensor2D, gain: Params[string] | undefined) => layerNorm(rows, gain as Tensor1D) as Tensor2D;

/** Number of tokens: every byte is one. */
export const BYTE_CLASSES = 256;

/** What a language model remembers of a text, one state per layer. */
export type LanguageState = MixerState[];

/** A model of the next byte; `apply` reads int32 `[batch, time]` and gives logits `[batch, time, 256]`. */
export interface LanguageModel extends Model<Batch> {
  /**
   * As of every model. `watch` sees the attention heads of every layer before they are joined; what it returns takes the place of their outputs, for
   * analysis; tensors that it keeps need `tf.keep`.
   */
  apply(
    params: Params,
    batch: Batch,
    options: { training: boolean; watch?: ((layer: number, heads: AttentionHeads) => Tensor4D) | undefined },
  ): Tensor;
  readonly config: ModelConfig;
  readonly mixer: TokenMixer;
  /** Number of tokens it tells apart. */
  readonly classes: number;
  /** The state before the first byte. */
  initialState(batch: number): LanguageState;
  /** Logits `[batch, time, 256]` of the next bytes of a text, and the state after it. The given state is not disposed. */
  prefill(params: Params, tokens: Tensor2D, state: LanguageState): { logits: Tensor3D; state: LanguageState };
  /** Logits `[batch, 256]` after one more byte of every text, int32 `[batch]`. The given state is not disposed. */
  step(params: Params, tokens: Tensor1D, state: LanguageState): { logits: Tensor2D; state: LanguageState };
}

/**
 * Byte-level language model: embedding, pre-LN blocks of a causal token mixer and a GELU MLP, layer norm, head.
 *
 * $$ x \mathrel{+}= \mathrm{mixer}(\mathrm{LN}(x)) \qquad x \mathrel{+}= W_2\, \mathrm{gelu}(W_1 \mathrm{LN}(x)) $$
 *
 * @throws OptionError if the configuration has an unknown name, a bad size, or a mixer that does not exist.
 * @remarks Linear layers have no bias. One step of the stream costs O(layers dim^2), whatever the length of the text; with attention, O(length dim) more per layer.
 */
export function languageModel(given: LanguageModelConfig = {}): LanguageModel {
  const config = parseLanguageModelConfig(given);
  const mixer = tokenMixer(config);

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
  const forward = (
    params: Params,
    tokens: Tensor,
    mix: (layer: number, weights: Params, rows: Tensor2D) => Tensor2D,
    before = 0,
  ): Tensor2D => {
    let rows = embed(params, tokens, before);
    for (let layer = 0; layer < config.layers; layer++) {
      const block = (params.blocks as Params)[layer] as Params;
      rows = add(rows, mix(layer, block.mixer as Params, norm(rows, block.mixerNorm)));
      const hidden = gelu(matMul(norm(rows, block.mlpNorm), block.mlpIn as Tensor2D), { approximate: 'tanh' }) as Tensor2D;
      rows = add(rows, matMul(hidden, block.mlpOut as Tensor2D));
    }
    const final = norm(rows, params.norm);
    return config.tiedHead ? matMul(final, params.embedding as Tensor2D, false, true) : matMul(final, params.head as Tensor2D);
  };

  return {
    config,
    mixer,
    classes: BYTE_CLASSES,
    init: (random) => initialise(config, mixer, random),
    apply: (params, { inputs }, { watch }) =>
      tidy(() => {
        const sizes = sizesOf(inputs as Tensor2D);
        const logits = forward(params, inputs, (layer, weights, rows) =>
          mixer.apply(weights, rows, sizes, watch && ((heads) => watch(layer, heads))),
        );
        return reshape(logits, [sizes.batch, sizes.time, BYTE_CLASSES]);
      }),
    initialState: (batch) => Array.from({ length: config.layers }, () => mixer.initialState(batch, config.dim)),
    prefill: (params, tokens, before) => {
      const sizes = sizesOf(tokens);
      const { logits, state } = streaming(
        (mix) => forward(params, tokens, mix, before[0]?.position),
        (weights, rows, layer) => mixer.prefill(weights, rows, sizes, before[layer]!),
      );
      const shaped = reshape(logits, [sizes.batch, sizes.time, BYTE_CLASSES]) as Tensor3D;
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

function initialise(config: ModelConfig, mixer: TokenMixer, random: Random): Params {
  const { dim, layers, tiedHead } = config;
  const hidden = dim * config.expansion;
  // What every layer adds is scaled down by the number of additions, so that the residual stream starts at one size at any depth.
  const residual = 1 / Math.sqrt(2 * layers);
  const blocks: Params = {};
  const places = config.position === 'learned' ? { positions: uniformWeight(random, [config.maxLength!, dim], 0.1) } : {};
  const table = uniformWeight(random, [BYTE_CLASSES, dim], tiedHead ? 0.5 / Math.sqrt(dim) : 0.5);
  for (let layer = 0; layer < layers; layer++) {
    blocks[layer] = {
      mixerNorm: ones([dim]),
      mixer: mixer.init(random, dim, residual / Math.sqrt(dim)),
      mlpNorm: ones([dim]),
      mlpIn: uniformWeight(random, [dim, hidden], 1 / Math.sqrt(dim)),
      mlpOut: uniformWeight(random, [hidden, dim], residual / Math.sqrt(hidden)),
    };
  }
  const params: Params = { embedding: table, ...places, blocks, norm: ones([dim]) };
  if (!tiedHead) params.head = uniformWeight(random, [dim, BYTE_CLASSES], 0.5 / Math.sqrt(dim));
  return params;
}
