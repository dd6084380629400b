import type { FusedKernel } from '@mixfold/tensor-ops';
import { wasmDots, wasmProduct } from '../sparse-product/wasm';

export const wasmEdgeProduct: FusedKernel = {
  run(call) {
    const { left, right } = call.inputs;
    return { output: wasmDots(call, left!, right!, call.outputShapes.output!) };
  },
};

export const wasmEdgeProductBackward: FusedKernel = {
  run(call) {
    const { left, right, dOutput } = call.inputs;
    const { dLeft, dRight } = call.outputShapes;
    return {
      ...(dLeft ? { dLeft: wasmProduct(call, right!, dOutput!, 'column', dLeft) } : {}),
      ...(dRight ? { dRight: wasmProduct(call, left!, dOutput!, 'row', dRight) } : {}),
    };
  },
};
