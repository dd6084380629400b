import { softmaxModule } from '../softmax/wasm-rows';
import { tensorPointer, type WasmBackend } from '../wasm/index';
import { type Replacement, sizeOf } from './replacement';

/** tfjs's kernel `Softmax`, over the last axis. A row of -Infinity alone gives 0, where tfjs gives NaN. */
export const softmax: Replacement = (stock) => (call) => {
  const logits = call.inputs.logits!;
  const width = logits.shape.at(-1);
  if (logits.dtype !== 'float32' || width === undefined || call.attrs?.dim !== logits.shape.length - 1) return stock!(call);
  const wasm = call.backend as WasmBackend;
  const kernel = softmaxModule.exports(wasm).softmax;
  const out = wasm.makeOutput(logits.shape, 'float32');
  if (width > 0) kernel(tensorPointer(wasm, logits), 0, 0, tensorPointer(wasm, out), sizeOf(logits) / width, width);
  return out;
};
