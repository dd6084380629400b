import type { KernelCall } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsSimple, chunkSums, disposeMade, loadSums, placeOf, runLanes, sizesOf } from './webgpu-lanes';

/**
 * Steps of time per thread. Sums over time are made in up to 64 parts, and every thread that needs a total adds them up for itself:
 * as many steps as it then takes itself, and no dispatch of their own.
 */
const stepsPerThread = (time: number) => Math.max(32, Math.ceil(time / 64));

/** Two dispatches: sums over parts of time, then their total, the gate and what is saved. */
export const webgpuAftSimple = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const chunk = stepsPerThread(sizesOf(call).time);
    const partial = chunkSums(call, chunk);
    const saves = call.outputShapes.context !== undefined;
    const outputs = runLanes(call, {
      name: 'AftSimpleGate',
      reads: 'query',
      made: { partial },
      outputs: call.outputShapes,
      chunk,
      body: `
  var sums = nothing;
  for (var part = 0u; part * uniforms.chunk < uniforms.time; part++) {
    let at = ${placeOf('part', 3)};
    sums = merged(sums, ${loadSums('partial', 'at')});
  }
  let mean = meanOf(sums);
  ${saves ? 'if (begin == 0u) { context[lane] = mean; logNormalizer[lane] = logOf(sums); }' : ''}
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    output[i] = gated(i).x * mean;
  }`,
    });
    disposeMade(call, [partial]);
    return outputs;
  },
};

/** Two dispatches: the query's gradient with the sum of what every target receives, then the gradients of key and value. */
export const webgpuAftSimpleBackward = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { time, lanes } = sizesOf(call);
    const chunk = stepsPerThread(time);
    const { dQuery, dKey, dValue } = call.outputShapes;
    const { partial, ...first } = runLanes(call, {
      name: 'AftSimpleBackwardQuery',
      reads: 'query context dOutput',
      outputs: { dQuery: dQuery!, partial: [Math.ceil(time / chunk), lanes] },
      chunk,
      body: `
  var received = 0.0;
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    let gate = gated(i);
    dQuery[i] = dOutput[i] * context[lane] * gate.y;
    received = fma(dOutput[i], gate.x, received);
  }
  partial[${placeOf('id.y', 1)}] = received;`,
    });
    const second = runLanes(call, {
      name: 'AftSimpleBackwardSources',
      reads: 'key value keyMask context logNormalizer',
      made: { partial },
      outputs: { dKey: dKey!, dValue: dValue! },
      chunk,
      body: `
  var received = 0.0;
  for (var part = 0u; part * uniforms.chunk < uniforms.time; part++) { received += partial[${placeOf('part', 1)}]; }
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    var gradient = vec2f(0.0);
    if (attends(lane, t)) { gradient = exp(key[i] - logNormalizer[lane]) * received * vec2f(value[i] - context[lane], 1.0); }
    dKey[i] = gradient.x;
    dValue[i] = gradient.y;
  }`,
    });
    disposeMade(call, [partial]);
    return { ...first, ...second };
  },
};
