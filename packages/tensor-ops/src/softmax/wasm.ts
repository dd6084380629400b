import { util } from '@tensorflow/tfjs-core';
import { linesOf } from '../lines/lines';
import type { FusedKernel } from '../operator/types';
import type { WasmBackend } from '../wasm/index';
import { onRows, softmaxModule } from './wasm-rows';

export const wasmSoftmax: FusedKernel = {
  run({ inputs, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { x, mask } = inputs;
    const lines = linesOf(x!.shape, attributes.axis as number);
    const maskRows = mask ? util.sizeFromShape(mask.shape) / lines.count : 0;
    const output = wasm.makeOutput(outputShapes.output!, 'float32');
    onRows(wasm, lines, [x, mask], [output], ([from, attended, to]) => {
      softmaxModule.exports(wasm).softmax(from!, attended!, maskRows, to!, lines.outer * lines.inner, lines.count);
    });
    return { output };
  },
};

export const wasmSoftmaxBackward: FusedKernel = {
  run({ inputs, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const lines = linesOf(inputs.output!.shape, attributes.axis as number);
    const dX = wasm.makeOutput(outputShapes.dX!, 'float32');
    onRows(wasm, lines, [inputs.output, inputs.dOutput], [dX], (rows) => {
      softmaxModule.exports(wasm).softmaxBackward(...rows, lines.outer * lines.inner, lines.count);
    });
    return { dX };
  },
};
