import type { FusedKernel } from '@mixfold/tensor-ops';
import { acceptsBindings, webgpuDots, webgpuProduct } from '../sparse-product/webgpu';

export const webgpuEdgeProduct: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { left, right } = call.inputs;
    return { output: webgpuDots(call, left!, right!, call.outputShapes.output!) };
  },
};

export const webgpuEdgeProductBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { left, right, dOutput } = call.inputs;
    const { dLeft, dRight } = call.outputShapes;
    return {
      ...(dLeft ? { dLeft: webgpuProduct(call, right!, dOutput!, 'column', dLeft) } : {}),
      ...(dRight ? { dRight: webgpuProduct(call, left!, dOutput!, 'row', dRight) } : {}),
    };
  },
};
