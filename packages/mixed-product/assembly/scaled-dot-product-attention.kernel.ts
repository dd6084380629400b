// Attention over all heads of a batch, one after the other; heads that share keys and values share their packed form.
import { attendBackward, closeSources, openSources, takeBackward } from '../../tensor-ops/assembly/attention-backward';
import { attend, packSources, takeForward } from '../../tensor-ops/assembly/attention-forward';
import { head, setDropout, setSizes } from '../../tensor-ops/assembly/attention-head';

/** Bytes of working memory that `forward` needs. */
export function forwardBytes(target: i32, source: i32, dim: i32, valueDim: i32): usize {
  setSizes(target, source, dim, valueDim, false, 0);
  takeForward();
  return head.free;
}

/** Bytes of working memory that `backward` needs. */
export function backwardBytes(target: i32, source: i32, dim: i32, valueDim: i32): usize {
  setSizes(target, source, dim, valueDim, false, 0);
  takeBackward();
  return head.free;
}

/** Points `head` at one of the query heads. Strides of mask and bias are bytes, 0 along an axis that shares them. */
function select(
  query: usize, key: usize, value: usize, mask: usize, bias: usize, batch: i32, heads: i32, keyHeads: i32, h: i32,
  maskBatch: usize, maskHead: usize, biasBatch: usize, biasHead: usize,
): void {
  const number = batch * heads + h;
  const keyNumber = <usize>(batch * keyHeads + h / (heads / keyHeads)) * head.source;
  head.query = query + ((<usize>number * head.target * head.dim) << 2);
  head.key = key + ((keyNumber * head.dim) << 2);
  head.value = value + ((keyNumber * head.valueDim) << 2);
  head.mask = mask ? mask + maskBatch * batch + maskHead * h : 0;
  head.bias = bias ? bias + biasBatch * batch + biasHead * h : 0;
  head.place = number * head.target * head.source;
}

/** `largest` and `denominator` are both 0 when they are not wanted. */
export function forward(
  query: usize, key: usize, value: usize, mask: usize, bias: usize, output: usize, largest: usize, denominator: usize, scratch: usize,
  batch: i32, heads: i32, keyHeads: i32, target: i32, source: i32, dim: i32, valueDim: i32, causal: bool, scale: f32,
  maskBatch: usize, maskHead: usize, maskRow: usize, biasBatch: usize, biasHead: usize, biasRow: usize,
  threshold: i32, first: i32, second: i32, keep: f32,
): void {
  setSizes(target, source, dim, valueDim, causal, scratch);
  takeForward();
  setDropout(threshold, first, second, keep);
  head.scale = scale;
  head.maskRow = maskRow;
  head.biasRow = biasRow;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      select(query, key, value, mask, bias, b, heads, keyHeads, h, maskBatch, maskHead, biasBatch, biasHead);
      if (h % (heads / keyHeads) == 0) packSources();
      const row = <usize>(b * heads + h) * target;
      attend(
        output + ((row * valueDim) << 2), largest ? largest + (row << 2) : 0, denominator ? denominator + (row << 2) : 0,
      );
    }
  }
}

/** `dBias` of `biasBytes` bytes has the strides of the bias, and is 0 where there is none. */
export function backward(
  query: usize, key: usize, value: usize, mask: usize, bias: usize, output: usize, largest: usize, denominator: usize, dOutput: usize,
  dQuery: usize, dKey: usize, dValue: usize, dBias: usize, scratch: usize,
  batch: i32, heads: i32, keyHeads: i32, target: i32, source: i32, dim: i32, valueDim: i32, causal: bool, scale: f32,
  maskBatch: usize, maskHead: usize, maskRow: usize, biasBatch: usize, biasHead: usize, biasRow: usize,
  threshold: i32, first: i32, second: i32, keep: f32, biasBytes: usize,
): void {
  setSizes(target, source, dim, valueDim, causal, scratch);
  takeBackward();
  setDropout(threshold, first, second, keep);
  head.scale = scale;
  head.maskRow = maskRow;
  head.biasRow = biasRow;
  if (dBias) memory.fill(dBias, 0, biasBytes);
  const group = heads / keyHeads;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      select(query, key, value, mask, bias, b, heads, keyHeads, h, maskBatch, maskHead, biasBatch, biasHead);
      if (h % group == 0) openSources();
      const row = <usize>(b * heads + h) * target;
      attendBackward(
        output + ((row * valueDim) << 2), largest + (row << 2), denominator + (row << 2), dOutput + ((row * valueDim) << 2),
        dQuery + ((row * dim) << 2), dBias ? dBias + biasBatch * b + biasHead * h : 0,
      );
      if (h % group == group - 1) {
        const shared = <usize>(b * keyHeads + h / group) * source;
        closeSources(dKey + ((shared * dim) << 2), dValue + ((shared * valueDim) << 2));
      }
    }
  }
}
