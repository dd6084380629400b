import { OptionError } from '../errors';
import type { FusedKernel, KernelCall } from '../operator/types';
import { pointers, softmaxModule } from '../softmax/wasm-rows';
import { placeTensors, type WasmBackend } from '../wasm/index';

const isClasses = ({ inputs }: KernelCall) => inputs.labels!.dtype === 'int32';

/** Labels are addresses to the kernel, so it must not meet one that is no class. */
function checkLabels(wasm: WasmBackend, call: KernelCall, pointer: number): void {
  const [rows, classes] = [call.sizes['...rows']!, call.sizes.classes!];
  const strange = softmaxModule.exports(wasm).strangeLabel(pointer, rows, classes);
  if (strange < 0) return;
  const [label] = new Int32Array(wasm.wasm.HEAPU8.buffer, pointer + 4 * strange, 1);
  throw new OptionError(`softmaxCrossEntropy: labels must be from 0 to ${classes - 1}, got ${label} at row ${strange}`);
}

/** The addresses of labels and targets, one of which is 0. */
function labelPointers(wasm: WasmBackend, call: KernelCall): [labels: number, targets: number] {
  const [pointer] = pointers(wasm, [call.inputs.labels]) as [number];
  if (!isClasses(call)) return [0, pointer];
  checkLabels(wasm, call, pointer);
  return [pointer, 0];
}

/** The loss, of labels or of targets. */
export const wasmCrossEntropy: FusedKernel = {
  run(call) {
    const wasm = call.backend as WasmBackend;
    const labels = labelPointers(wasm, call);
    const { outputs, addressOf } = placeTensors(wasm, call);
    const made = ['loss', 'largest', 'logSum'].map(addressOf);
    softmaxModule
      .exports(wasm)
      .crossEntropy(addressOf('logits'), ...labels, ...made, call.sizes['...rows']!, call.sizes.classes!);
    return outputs;
  },
};

export const wasmCrossEntropyBackward: FusedKernel = {
  run(call) {
    const wasm = call.backend as WasmBackend;
    const labels = labelPointers(wasm, call);
    const { outputs, addressOf } = placeTensors(wasm, call);
    const rest = ['largest', 'logSum', 'dLoss', 'dLogits'].map(addressOf);
    softmaxModule
      .exports(wasm)
      .crossEntropyBackward(addressOf('logits'), ...labels, ...rest, call.sizes['...rows']!, call.sizes.classes!);
    return outputs;
  },
};
