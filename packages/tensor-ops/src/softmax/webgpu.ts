import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { linesOf } from '../lines/lines';
import { runLineProgram } from '../lines/webgpu-lines';
import type { FusedKernel } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';

export const webgpuSoftmax: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { x, mask } = call.inputs as { x: TensorInfo; mask?: TensorInfo };
    const seen = (value: string, otherwise: string) =>
      mask ? `select(${otherwise}, ${value}, mask[i % uniforms.maskSize] != 0.0)` : value;
    return runLineProgram(call, linesOf(x.shape, call.attributes.axis as number), {
      name: 'SoftmaxShader',
      inputs: { x, mask },
      outputs: { output: call.outputShapes.output! },
      uniforms: mask ? { maskSize: { type: 'u32', value: util.sizeFromShape(mask.shape) } } : {},
      body: `
    var largest = lowest;
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      largest = max(largest, ${seen('x[i]', 'lowest')});
    }
    largest = maxOfLine(largest, id);
    var sum = 0.0;
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      let weight = ${seen('exp(x[i] - largest)', '0.0')};
      output[i] = weight;
      sum += weight;
    }
    sum = sumOfLine(sum, id);
    let share = select(0.0, 1.0 / sum, sum > 0.0);
    for (var j = start; j < stop; j += along) { output[elementOf(line, j)] *= share; }`,
    });
  },
};

export const webgpuSoftmaxBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { output, dOutput } = call.inputs as { output: TensorInfo; dOutput: TensorInfo };
    return runLineProgram(call, linesOf(output.shape, call.attributes.axis as number), {
      name: 'SoftmaxBackwardShader',
      inputs: { output, dOutput },
      outputs: { dX: call.outputShapes.dX! },
      body: `
    var sum = 0.0;
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      sum += output[i] * dOutput[i];
    }
    let mean = sumOfLine(sum, id);
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      dX[i] = output[i] * (dOutput[i] - mean);
    }`,
    });
  },
};
