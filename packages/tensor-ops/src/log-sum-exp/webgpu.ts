import type { TensorInfo } from '@tensorflow/tfjs-core';
import { linesOf } from '../lines/lines';
import { runLineProgram } from '../lines/webgpu-lines';
import type { FusedKernel } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';

/**
 * WGSL of `top` and `logTotal` of the line `x`: its largest element, and the logarithm of the sum of exponentials relative to it.
 */
export const logSumOfLine = (x: string) => `
    var largestHere = lowest;
    for (var j = start; j < stop; j += along) { largestHere = max(largestHere, ${x}[elementOf(line, j)]); }
    let top = maxOfLine(largestHere, id);
    var sumHere = 0.0;
    for (var j = start; j < stop; j += along) { sumHere += exp(${x}[elementOf(line, j)] - top); }
    let logTotal = log(sumOfLine(sumHere, id));`;

export const webgpuLogSumExp: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const x = call.inputs.x as TensorInfo;
    return runLineProgram<string>(call, linesOf(x.shape, call.attributes.axis as number), {
      name: 'LogSumExpShader',
      inputs: { x },
      outputs: call.outputShapes,
      body: `${logSumOfLine('x')}
    if (isFirst) {
      output[line] = top + logTotal;
      ${call.outputShapes.largest ? 'largest[line] = top; logSum[line] = logTotal;' : ''}
    }`,
    });
  },
};

export const webgpuLogSumExpBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { x, largest, logSum, dOutput } = call.inputs as Record<'x' | 'largest' | 'logSum' | 'dOutput', TensorInfo>;
    return runLineProgram(call, linesOf(x.shape, call.attributes.axis as number), {
      name: 'LogSumExpBackwardShader',
      inputs: { x, largest, logSum, dOutput },
      outputs: { dX: call.outputShapes.dX! },
      body: `
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      dX[i] = exp(x[i] - largest[line] - logSum[line]) * dOutput[line];
    }`,
    });
  },
};
