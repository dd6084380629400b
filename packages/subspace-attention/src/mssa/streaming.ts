import { bindShapes, checkOptions, OptionError } from '@mixfold/tensor-ops';
import {
  cast,
  clone,
  concat,
  expandDims,
  ones,
  squeeze,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tidy,
} from '@tensorflow/tfjs-core';
import type { MssaOptions } from './mssa';
import { defaultScale, phiAttributes } from './phi';
import { checkState, type MssaState } from './state';
import { mssaStreamingOperator } from './streaming-operator';

/** Options of a streaming call, which is always causal: those of `mssa`, and a mask of the call's own tokens, which the state remembers. */
export interface MssaStreamingOptions extends Omit<MssaOptions, 'causal' | 'keyMask' | 'queryKeyGain'> {
  /** `[batch, time]`, in a step `[batch]`: a token whose entry is 0 is no source, now or later. */
  readonly keyMask?: Tensor | undefined;
}

/** What a streaming call returns. The state given to it is left as it was and is not disposed. */
export interface MssaStreamed<Output extends Tensor> {
  readonly output: Output;
  readonly state: MssaState;
}

/**
 * Continues causal `mssa` by a stretch of tokens: any split of a sequence gives the numbers of the whole call.
 *
 * @param tokens - `[batch, time, dim]`, of the stretch.
 * @param subspaces - `[heads, dim, headDim]`, the same in all calls.
 * @param state - From `mssaState` or an earlier call; its projected tokens take part in the gradient.
 * @param options - `output`, `keyMask` `[batch, time]`, `scale`, `maskSelf`, `phi`.
 * @returns The output `[batch, time, dim]` and the state after the last token.
 * @throws ShapeError, also for a state of other sizes; OptionError for something else than a state, and for `queryKeyGain`: normalised queries and keys are not the
 *   projected tokens that the state holds.
 * @remarks O(time (position + time) heads headDim) time; the state is copied once. Differentiable in tokens, subspaces, output and the state.
 * @example
 * const { output, state } = mssaPrefill(prompt, subspaces, mssaState(1, 8, 32));
 */
export function mssaPrefill(
  tokens: Tensor3D,
  subspaces: Tensor3D,
  state: MssaState,
  options: MssaStreamingOptions = {},
): MssaStreamed<Tensor3D> {
  return advance('mssaPrefill', tokens, subspaces, state, options);
}

/**
 * Continues causal `mssa` by one token.
 *
 * @param token - `[batch, dim]`.
 * @param subspaces - `[heads, dim, headDim]`.
 * @param state - From `mssaState` or an earlier call.
 * @param options - As in `mssaPrefill`; `keyMask` is `[batch]`.
 * @returns The output `[batch, dim]` and the state after the token.
 * @throws As `mssaPrefill`.
 * @remarks O((position + dim) heads headDim).
 */
export function mssaStep(
  token: Tensor2D,
  subspaces: Tensor3D,
  state: MssaState,
  options: MssaStreamingOptions = {},
): MssaStreamed<Tensor2D> {
  const mask = options?.keyMask === undefined ? {} : { keyMask: [options.keyMask, 'batch'] as const };
  bindShapes('mssaStep', { token: [token, 'batch dim'], ...mask });
  const made = tidy(() => {
    const stretched = options.keyMask === undefined ? options : { ...options, keyMask: expandDims(options.keyMask, 1) };
    const streamed = advance('mssaStep', expandDims(token, 1) as Tensor3D, subspaces, state, stretched);
    return { output: squeeze(streamed.output, [1]) as Tensor2D, ...streamed.state.tensors };
  });
  const { output, ...tensors } = made;
  return { output, state: { operator: 'mssa', position: state.position + 1, tensors } };
}

const rules = { output: 'tensor', keyMask: 'tensor', scale: 'finite', maskSelf: 'boolean', phi: 'unchecked' } as const;

function advance(
  functionName: string,
  tokens: Tensor3D,
  subspaces: Tensor3D,
  state: MssaState,
  options: MssaStreamingOptions,
): MssaStreamed<Tensor3D> {
  if ((options as MssaOptions)?.queryKeyGain !== undefined) {
    throw new OptionError(
      `${functionName}: option queryKeyGain does not go with a state, which holds projected tokens alone: normalised queries and keys are not among them`,
    );
  }
  checkOptions(functionName, options, rules);
  const { output, keyMask, maskSelf = false } = options;
  const { batch, time, heads, headDim } = bindShapes(functionName, {
    tokens: [tokens, 'batch time dim'],
    subspaces: [subspaces, 'heads dim headDim'],
    ...(keyMask ? { keyMask: [keyMask, 'batch time'] as const } : {}),
    ...(output ? { output: [output, 'heads headDim dim'] as const } : {}),
  }) as Record<'batch' | 'time' | 'heads' | 'headDim', number>;
  checkState(functionName, state, { batch, heads, headDim });
  const { position } = state;
  const phi = phiAttributes(functionName, options.phi);
  const attributes = { maskSelf, scale: options.scale ?? defaultScale(phi, headDim), ...phi };
  const past = position === 0 ? undefined : state.tensors.projected;
  const mask = maskOfAll(state, keyMask, batch, time);
  try {
    const { denoised, projected } = mssaStreamingOperator.run({ tokens, subspaces, output, keyMask: mask, past }, attributes);
    const all = projected as Tensor4D;
    if (time > 0) return { output: denoised, state: stateOf(position + time, all, mask) };
    all.dispose();
    return { output: denoised, state: stateOf(position, clone(state.tensors.projected), mask) };
  } catch (error) {
    mask?.dispose();
    throw error;
  }
}

const stateOf = (position: number, projected: Tensor4D, mask: Tensor2D | undefined): MssaState => ({
  operator: 'mssa',
  position,
  tensors: mask ? { projected, mask } : { projected },
});

/** The mask of what the state has seen and of the call's own tokens, a tensor of its own; undefined if all of them exist. */
function maskOfAll(state: MssaState, keyMask: Tensor | undefined, batch: number, time: number): Tensor2D | undefined {
  const before = state.tensors.mask;
  if (before === undefined && keyMask === undefined) return undefined;
  return tidy(() => {
    const parts: Tensor[] = [];
    if (state.position > 0) parts.push(before ?? ones([batch, state.position]));
    if (time > 0) parts.push(keyMask ? cast(keyMask, 'float32') : ones([batch, time]));
    return parts.length === 1 ? clone(parts[0]!) : parts.length === 0 ? ones([batch, 0]) : concat(parts, 1);
  }) as Tensor2D;
}
