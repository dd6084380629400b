import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Lines } from '../lines/lines';
import { runLineProgram } from '../lines/webgpu-lines';
import { logSumOfLine } from '../log-sum-exp/webgpu';
import type { FusedKernel, KernelCall } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

const linesOf = ({ sizes }: KernelCall): Lines => ({ outer: sizes['...rows']!, count: sizes.classes!, inner: 1 });
const isClasses = ({ inputs }: KernelCall) => inputs.labels!.dtype === 'int32';

/** WGSL: a label that is no class is at or above `count`, for a negative one is a large number. */
const readLabel = 'let label = u32(labels[min(line, uniforms.lines - 1u)]);';

/** Two dispatches: the loss of every row, then their mean. */
export const webgpuCrossEntropy: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { logits, labels } = call.inputs as { logits: TensorInfo; labels: TensorInfo };
    const { loss, ...saved } = call.outputShapes;
    const rows = linesOf(call).outer;
    const ofRow = isClasses(call)
      ? `${readLabel}
    var rowLoss = 0.0;
    if (exists && label < count) { rowLoss = top - logits[elementOf(line, label)] + logTotal; }`
      : `var part = 0.0;
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      part += labels[i] * (top - logits[i] + logTotal);
    }
    let rowLoss = sumOfLine(part, id);`;
    const { losses, ...kept } = runLineProgram<string>(call, linesOf(call), {
      name: 'SoftmaxCrossEntropyShader',
      inputs: { logits, labels },
      outputs: { losses: [rows], ...saved },
      body: `${logSumOfLine('logits')}
    ${ofRow}
    if (isFirst) {
      losses[line] = rowLoss;
      ${saved.largest ? 'largest[line] = top; logSum[line] = logTotal;' : ''}
    }`,
    });
    const mean = runLineProgram(
      call,
      { outer: 1, count: rows, inner: 1 },
      {
        name: 'SoftmaxCrossEntropyMean',
        inputs: { losses },
        outputs: { loss: loss! },
        body: `
    var part = 0.0;
    for (var j = start; j < stop; j += along) { part += losses[elementOf(line, j)]; }
    let total = sumOfLine(part, id);
    if (isFirst) { loss[0] = total / f32(count); }`,
      },
    );
    webGpuBackend(call.backend).disposeData(losses!.dataId);
    return { ...mean, ...kept };
  },
};

export const webgpuCrossEntropyBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { logits, labels, largest, logSum, dLoss } = call.inputs as Record<
      'logits' | 'labels' | 'largest' | 'logSum' | 'dLoss',
      TensorInfo
    >;
    const [mass, target] = isClasses(call)
      ? [`${readLabel}\n    let mass = select(0.0, 1.0, label < count);`, 'select(0.0, 1.0, j == label)']
      : [
          `var part = 0.0;
    for (var j = start; j < stop; j += along) { part += labels[elementOf(line, j)]; }
    let mass = sumOfLine(part, id);`,
          'labels[i]',
        ];
    return runLineProgram(call, linesOf(call), {
      name: 'SoftmaxCrossEntropyBackwardShader',
      inputs: { logits, labels, largest, logSum, dLoss },
      outputs: { dLogits: call.outputShapes.dLogits! },
      body: `
    ${mass}
    let scale = dLoss[0] / f32(uniforms.lines);
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      dLogits[i] = (exp(logits[i] - largest[line] - logSum[line]) * mass - ${target}) * scale;
    }`,
    });
  },
};
