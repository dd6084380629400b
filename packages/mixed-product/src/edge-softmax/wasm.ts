import { defineWasmModule, type FusedKernel, tensorPointer, type WasmBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { edgeSoftmaxBinaries } from '../generated/edge-softmax';

const module = /* @__PURE__ */ defineWasmModule<'softmax' | 'softmaxBackward'>(edgeSoftmaxBinaries);

/** A kernel whose arguments are the addresses of `tensors` in order, then the sizes. */
function edgeKernel(entry: 'softmax' | 'softmaxBackward', tensors: readonly string[], result: string): FusedKernel {
  return {
    run({ inputs, outputShapes, sizes, backend }) {
      const wasm = backend as WasmBackend;
      const { [entry]: kernel } = module.exports(wasm);
      const made: Record<string, TensorInfo> = { [result]: wasm.makeOutput(outputShapes[result]!, 'float32') };
      const addresses = tensors.map((name) => tensorPointer(wasm, inputs[name] ?? made[name]!));
      kernel(...addresses, sizes.batch!, sizes.rowStarts! - 1, sizes.edges!);
      return made;
    },
  };
}

const forwardTensors = ['scores', 'rowStart', 'rowEdge', 'weights'];
const backwardTensors = ['weights', 'dWeights', 'rowStart', 'rowEdge', 'dScores'];

export const wasmEdgeSoftmax = /* @__PURE__ */ edgeKernel('softmax', forwardTensors, 'weights');
export const wasmEdgeSoftmaxBackward = /* @__PURE__ */ edgeKernel('softmaxBackward', backwardTensors, 'dScores');
