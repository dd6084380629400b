import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { nextFrame, type Tensor1D, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import type { LanguageModel, LanguageState } from '../model/language-model';
import { BYTE_CLASSES } from '../model/language-model-config';
import type { Params } from '../model/params';
import { createRandom } from '../random/random';
import { pickByte } from './pick-byte';

/** Settings of `generate`. */
export interface GenerateOptions {
  /** At least one byte; a string counts as UTF-8. */
  prompt: string | Uint8Array;
  /** Bytes to add. */
  tokens: number;
  /** Divides the logits; 0 takes the most likely byte always. Default 0.8. */
  temperature?: number;
  /** Only the most likely `topK` bytes can be drawn; default 256, all of them. */
  topK?: number;
  /** Default 1. */
  seed?: number;
}

/**
 * Continues a prompt byte by byte through the streaming state: the prompt is read once, then every byte costs the same, wherever
 * it stands. With learned positions, a text that fills them is read anew from its last half of them, as often as it happens.
 *
 * @returns The bytes after the prompt. The numbers behind them are those of the whole-sequence model.
 * @throws OptionError for an empty prompt, or one beyond learned positions, for an unknown option or one out of its range, and for a model of other tokens than bytes.
 * @remarks The state has no longest length. A model has seen no more than its context in training, though, and the command line
 * refuses longer prompts.
 */
export async function generate(model: LanguageModel, params: Params, options: GenerateOptions): Promise<Uint8Array> {
  const { prompt, tokens, temperature, topK, seed } = withDefaults(options);
  if (model.classes !== BYTE_CLASSES) {
    throw new OptionError(`generate: the model must tell ${BYTE_CLASSES} bytes apart, its tokens are ${model.classes}`);
  }
  const random = createRandom(seed);
  const drawn = new Uint8Array(tokens);
  let state = model.initialState(1);
  let logits: Float32Array;
  try {
    const input = tensor2d(Int32Array.from(prompt), [1, prompt.length], 'int32');
    const start = model.prefill(params, input, state);
    input.dispose();
    state = replace(state, start.state);
    logits = ((await start.logits.data()) as Float32Array).slice(-model.classes);
    start.logits.dispose();
    for (let i = 0; i < tokens; i++) {
      drawn[i] = pickByte(logits, { temperature, topK }, random);
      if (i === tokens - 1) break;
      const next = isFull(model, state)
        ? readAnew(model, params, [...prompt, ...drawn.subarray(0, i + 1)])
        : readOne(model, params, drawn[i]!, state);
      state = replace(state, next.state);
      logits = ((await next.logits.data()) as Float32Array).slice(-model.classes);
      next.logits.dispose();
      if (i % 64 === 63) await nextFrame();
    }
  } finally {
    disposeLanguageState(state);
  }
  return drawn;
}

/** Frees the tensors of a language model's state. */
export function disposeLanguageState(state: LanguageState): void {
  for (const { tensors } of state) for (const tensor of Object.values(tensors)) tensor.dispose();
}

/** Whether the model has no place for another token. */
function isFull({ config }: LanguageModel, state: LanguageState): boolean {
  return config.position === 'learned' && state[0]!.position >= config.maxLength!;
}

function readOne(model: LanguageModel, params: Params, byte: number, state: LanguageState) {
  const token: Tensor1D = tensor1d([byte], 'int32');
  const next = model.step(params, token, state);
  token.dispose();
  return next;
}

/** Starts from the second half of what the model can hold, so that it is full again only after as many bytes. */
function readAnew(model: LanguageModel, params: Params, text: readonly number[]) {
  const kept = text.slice(-Math.ceil(model.config.maxLength! / 2));
  const input = tensor2d(Int32Array.from(kept), [1, kept.length], 'int32');
  const start = model.initialState(1);
  const next = model.prefill(params, input, start);
  input.dispose();
  disposeLanguageState(start);
  return next;
}

function replace(old: LanguageState, state: LanguageState): LanguageState {
  disposeLanguageState(old);
  return state;
}

function withDefaults({ prompt, ...options }: GenerateOptions) {
  checkOptions('generate', options, {
    tokens: 'positiveInteger',
    temperature: 'nonNegative',
    topK: 'positiveInteger',
    seed: 'nonNegativeInteger',
  });
  const bytes = typeof prompt === 'string' ? new TextEncoder().encode(prompt) : prompt;
  if (bytes.length === 0) throw new OptionError('generate: option prompt must have at least one byte, is empty');
  const { tokens, temperature = 0.8, topK = 256, seed = 1 } = options;
  return { prompt: bytes, tokens, temperature, topK, seed };
}
