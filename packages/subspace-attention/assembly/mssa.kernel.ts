// Multi-head subspace self-attention: projection onto all subspaces, attention of each head, and the way back, one batch entry after the other.
import { head, take } from '../../tensor-ops/assembly/attention-head';
import { call, setCall } from './call';
import { attendFew, FEW, fewToHeads, fewToTokens, takeFew } from './few-tokens';
import { addToMap, addToTurnedMap, takeProducts, toHeads, toTokens } from './head-products';
import { differentiateHead, takeBackward } from './mssa-backward';
import { attendHead, takeForward } from './mssa-forward';
import { openEntry } from './sources';

/** Bytes of working memory that `forward` needs; `gain` is anything but 0 where there is one. */
export function forwardBytes(target: i32, past: i32, dim: i32, heads: i32, headDim: i32, gain: usize): usize {
  setCall(target, past, dim, heads, headDim, false, false, 1, gain);
  openScratch(0);
  takeForward();
  takeFew();
  take(headRows(call.source));
  take(headRows(call.target));
  return head.free;
}

/** Bytes of working memory that `backward` needs. */
export function backwardBytes(target: i32, past: i32, dim: i32, heads: i32, headDim: i32, gain: usize): usize {
  setCall(target, past, dim, heads, headDim, false, false, 1, gain);
  openScratch(0);
  takeBackward();
  take(headRows(call.source));
  take(headRows(call.target));
  take(headDim << 1);
  return head.free;
}

function openScratch(scratch: usize): void {
  head.free = scratch;
  takeProducts();
}

/** Floats of `[heads, rows, headDim]`. */
function headRows(rows: i32): usize {
  return <usize>call.heads * rows * call.headDim;
}

/**
 * `output`, `keyMask`, `gain` and `earlier`, the projected tokens of the past, are 0 where there are none. `projected` [batch, heads, past + target, headDim],
 * `mixed`, `largest` and `denominator` are each 0 when they are not wanted, the last two together.
 */
export function forward(
  tokens: usize, subspaces: usize, output: usize, keyMask: usize, gain: usize, earlier: usize,
  denoised: usize, projected: usize, mixed: usize, largest: usize, denominator: usize, scratch: usize,
  batch: i32, target: i32, past: i32, dim: i32, heads: i32, headDim: i32, causal: bool, maskSelf: bool, scale: f32,
): void {
  setCall(target, past, dim, heads, headDim, causal, maskSelf, scale, gain);
  openScratch(scratch);
  takeForward();
  takeFew();
  const ownProjected = take(headRows(call.source));
  const ownMixed = take(headRows(target));
  const row = <usize>headDim << 2;
  const sourceBytes = row * call.source, targetBytes = row * target;
  // What a gradient will make again is made as the gradient does.
  const isFew = target <= FEW && gain == 0 && largest == 0;
  for (let b: i32 = 0; b < batch; b++) {
    const x = tokens + ((<usize>b * target * dim) << 2);
    const w = projected ? projected + sourceBytes * heads * b : ownProjected;
    const y = mixed ? mixed + targetBytes * heads * b : ownMixed;
    for (let h: i32 = 0; h < heads && past > 0; h++) {
      memory.copy(w + sourceBytes * h, earlier + row * past * (b * heads + h), row * past);
    }
    if (isFew) fewToHeads(x, target, subspaces, w + row * past, sourceBytes);
    else toHeads(x, target, subspaces, false, w + row * past, sourceBytes);
    openEntry(keyMask ? keyMask + ((<usize>b * call.source) << 2) : 0);
    for (let h: i32 = 0; h < heads; h++) {
      const number = (<usize>(b * heads + h) * target) << 2;
      if (isFew) attendFew(w + sourceBytes * h, y + targetBytes * h);
      else attendHead(w + sourceBytes * h, y + targetBytes * h, largest ? largest + number : 0, denominator ? denominator + number : 0);
    }
    const to = denoised + ((<usize>b * target * dim) << 2);
    if (isFew) fewToTokens(y, targetBytes, target, output ? output : subspaces, output != 0, to);
    else toTokens(y, targetBytes, target, output ? output : subspaces, output != 0, to);
  }
}

/**
 * The gradient. `dProjected`, what arrives at the projected tokens by another way, and `dEarlier` are 0 where there is none, as are `dOutput` and `dGain`.
 */
export function backward(
  tokens: usize, subspaces: usize, output: usize, keyMask: usize, gain: usize,
  projected: usize, mixed: usize, largest: usize, denominator: usize, dDenoised: usize, dProjected: usize,
  dTokens: usize, dSubspaces: usize, dOutput: usize, dGain: usize, dEarlier: usize, scratch: usize,
  batch: i32, target: i32, past: i32, dim: i32, heads: i32, headDim: i32, causal: bool, maskSelf: bool, scale: f32,
): void {
  setCall(target, past, dim, heads, headDim, causal, maskSelf, scale, gain);
  openScratch(scratch);
  takeBackward();
  const dW = take(headRows(call.source));
  const dY = take(headRows(target));
  const dGain64 = take(headDim << 1);
  const row = <usize>headDim << 2;
  const sourceBytes = row * call.source, targetBytes = row * target;
  memory.fill(dGain64, 0, row << 1);
  for (let b: i32 = 0; b < batch; b++) {
    const at = (<usize>b * target * dim) << 2;
    toHeads(dDenoised + at, target, output ? output : subspaces, output != 0, dY, targetBytes);
    if (dProjected) memory.copy(dW, dProjected + sourceBytes * heads * b, sourceBytes * heads);
    else memory.fill(dW, 0, sourceBytes * heads);
    openEntry(keyMask ? keyMask + ((<usize>b * call.source) << 2) : 0);
    const y = mixed + targetBytes * heads * b;
    for (let h: i32 = 0; h < heads; h++) {
      const number = (<usize>(b * heads + h) * target) << 2;
      differentiateHead(
        projected + sourceBytes * (b * heads + h), y + targetBytes * h, largest + number, denominator + number,
        dY + targetBytes * h, dW + sourceBytes * h, dGain64,
      );
      if (dEarlier) memory.copy(dEarlier + row * past * (b * heads + h), dW + sourceBytes * h, row * past);
    }
    const own = dW + row * past;
    toTokens(own, sourceBytes, target, subspaces, false, dTokens + at);
    addToMap(tokens + at, own, sourceBytes, target, dSubspaces, b > 0);
    if (output) addToTurnedMap(dDenoised + at, y, targetBytes, target, dOutput, b > 0);
    else addToMap(dDenoised + at, y, targetBytes, target, dSubspaces, true);
  }
  for (let c: i32 = 0; c < headDim && gain != 0; c++) {
    store<f32>(dGain + (<usize>c << 2), <f32>load<f64>(dGain64 + (<usize>c << 3)));
  }
}
