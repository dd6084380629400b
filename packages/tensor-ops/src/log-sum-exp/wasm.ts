import { linesOf } from '../lines/lines';
import type { FusedKernel } from '../operator/types';
import { onRows, pointers, softmaxModule } from '../softmax/wasm-rows';
import { placeTensors, type WasmBackend } from '../wasm/index';

export const wasmLogSumExp: FusedKernel = {
  run({ inputs, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const lines = linesOf(inputs.x!.shape, attributes.axis as number);
    const { outputs } = placeTensors(wasm, { inputs, outputShapes });
    const { output, largest, logSum } = outputs;
    onRows(wasm, lines, [inputs.x], [], ([x]) => {
      const made = pointers(wasm, [output, largest, logSum]);
      softmaxModule.exports(wasm).logSumExp(x!, ...made, lines.outer * lines.inner, lines.count);
    });
    return outputs;
  },
};

export const wasmLogSumExpBackward: FusedKernel = {
  run({ inputs, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { x, largest, logSum, dOutput } = inputs;
    const lines = linesOf(x!.shape, attributes.axis as number);
    const dX = wasm.makeOutput(outputShapes.dX!, 'float32');
    onRows(wasm, lines, [x], [dX], ([from, to]) => {
      const kept = pointers(wasm, [largest, logSum, dOutput]);
      softmaxModule.exports(wasm).logSumExpBackward(from!, ...kept, to!, lines.outer * lines.inner, lines.count);
    });
    return { dX };
  },
};
