import { bindShapes, checkOptions, checkTensor, matMul, OptionError, softmax } from '@mixfold/tensor-ops';
import {
  add,
  cast,
  clone,
  expandDims,
  gather,
  logicalAnd,
  notEqual,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tensor1d,
  tidy,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { type PositionBias, withPositionBias } from '../position-bias';
import { bandTable, sourceBeforeTarget, windowOf, withinWindow } from './band-table';

/** Options of `aftAttention`. */
export interface AftAttentionOptions {
  /** The channels to look at, in this order; default all. */
  readonly channels?: readonly number[] | undefined;
  /** Whether a target sees only the sources up to its own time. Default false. */
  readonly causal?: boolean | undefined;
  /** `[batch, source]`, bool, int32 or float32; nonzero = attend. */
  readonly keyMask?: Tensor | undefined;
  /** Of AFT-local: the bias counts where |target - source| < windowSize and is 0 elsewhere. Default: it counts everywhere. */
  readonly windowSize?: number | undefined;
  /** How many targets there are. Default: as many as sources. */
  readonly targets?: number | undefined;
}

const rules = {
  causal: 'boolean',
  keyMask: 'tensor',
  windowSize: 'nonNegativeInteger',
  targets: 'nonNegativeInteger',
} as const;

/**
 * The attention maps that an AFT operator has without ever making them: how much of each source a target takes, channel by channel. For looking
 * at; the operators themselves are what to train through.
 *
 * $$ a_{t,t'}^c = \frac{e^{K_{t'}^c + w_{t,t'}}}{\sum_{t''} e^{K_{t''}^c + w_{t,t''}}} $$
 *
 * @param key - `[batch, source, dim]`, in nats, as given to `aftSimple`, `aftFull` or `aftLocal`.
 * @param positionBias - The bias of `aftFull` or `aftLocal`; null for `aftSimple`.
 * @param options - `channels` (default all), `causal`, `keyMask`, `windowSize` for a table or factors of AFT-local, `targets`.
 * @returns `[batch, channels, target, source]`, without the gate of the query: rows sum to 1, or to 0 where a target has no source. New tensor; the
 *   caller disposes it.
 * @throws ShapeError if an axis differs or the bias is smaller than the sequence; OptionError for a channel that `key` does not have.
 * @remarks O(channels target source) time and memory: choose channels.
 * @see Zhai et al. 2021, eq. 3, https://arxiv.org/abs/2105.14103
 * @example
 * const maps = aftAttention(key, positionBias, { channels: [0, 7], causal: true }); // [batch, 2, time, time]
 */
export function aftAttention(
  key: Tensor3D,
  positionBias: PositionBias | null,
  { channels, ...options }: AftAttentionOptions = {},
): Tensor4D {
  checkOptions('aftAttention', options, rules);
  const { causal = false, keyMask } = options;
  checkTensor('aftAttention', 'key', key, ['float32']);
  if (keyMask) checkTensor('aftAttention', 'keyMask', keyMask, ['bool', 'int32', 'float32']);
  const { batch, source, dim } = bindShapes('aftAttention', {
    key: [key, 'batch source dim'],
    ...(keyMask ? { keyMask: [keyMask, 'batch source'] as const } : {}),
  }) as { batch: number; source: number; dim: number };
  checkChannels(channels, dim);
  const windowSize = windowOf(positionBias, options.windowSize);
  const target = options.targets ?? source;
  if (target !== source && (causal || windowSize !== undefined)) {
    throw new OptionError(
      `aftAttention: ${causal ? 'causal' : 'windowSize'} needs as many targets as sources, got ${target} and ${source}`,
    );
  }
  const shown = channels?.length ?? dim;
  return tidy(() => {
    const bias = positionBias && tableOf(positionBias, target, source, windowSize);
    if (batch * shown * target * source === 0) return zeros([batch, shown, target, source]);
    const keys = channels ? gather(key, tensor1d([...channels], 'int32'), 2) : key;
    const scores = add(expandDims(transpose(keys, [0, 2, 1]), 2), bias ?? zeros([target, source]));
    const seen = keyMask && expandDims(expandDims(notEqual(keyMask, 0), 1), 1);
    const past = causal ? sourceBeforeTarget(source) : undefined;
    const mask = seen && past ? logicalAnd(seen, past) : (seen ?? past);
    return softmax(scores, -1, { mask: mask && cast(mask, 'float32') }) as Tensor4D;
  });
}

function checkChannels(channels: AftAttentionOptions['channels'], dim: number): void {
  if (channels === undefined) return;
  if (!Array.isArray(channels)) throw new OptionError('aftAttention: option channels must be an array of channel numbers');
  const stranger = channels.find((channel) => !Number.isSafeInteger(channel) || channel < 0 || channel >= dim);
  if (stranger !== undefined) throw new OptionError(`aftAttention: channels must be from 0 to ${dim - 1}, got ${stranger}`);
}

/** The bias of every pair, `[target, source]`. */
function tableOf(positionBias: PositionBias, target: number, source: number, windowSize: number | undefined): Tensor2D {
  const sizes = windowSize === undefined ? { target, source } : { target, source, windowSize };
  const windowed = (table: Tensor2D) => (windowSize === undefined ? clone(table) : withinWindow(table, windowSize));
  return withPositionBias('aftAttention', positionBias, sizes, {
    dense: (table) => windowed(table),
    factored: (u, v) => windowed(matMul(u, v, { transposeB: true }) as Tensor2D),
    banded: (band) => bandTable(band),
  });
}
