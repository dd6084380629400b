import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import { aftLocalBinaries } from '../generated/aft-local';
import { type QueryActivation, queryActivations } from '../query-activation';
import { type Geometry, geometryOf } from './geometry';

const module = /* @__PURE__ */ defineWasmModule<'forward' | 'backward' | 'forwardBytes' | 'backwardBytes' | 'copyRows'>(
  aftLocalBinaries,
);

/** The kernels work on vectors of four channels. */
const LEAST_DIM = 4;

const forwardRows = 'query key value keyMask state output finalState context logNormalizer';
const backwardRows =
  'query key value keyMask state finalState context logNormalizer dOutput dFinalState dQuery dKey dValue dState';

type Pointer = (name: string) => number;

/** Where the kernel finds the bias of target 0 and source 0, the distance between targets in a table of biases, and where factors stand. */
function biasArguments({ inputs }: KernelCall, { position, past, reach }: Geometry, pointer: Pointer, prefix = '') {
  const at = (name: string, elements: number) => {
    const tensor = prefix + (prefix ? name.charAt(0).toUpperCase() + name.slice(1) : name);
    return pointer(tensor) === 0 ? 0 : pointer(tensor) + 4 * elements;
  };
  const [columns, rank, width] = [inputs.positionBias?.shape[1] ?? 0, inputs.u?.shape[1] ?? 0, 2 * reach + 1];
  const bias = inputs.positionBias
    ? at('positionBias', position * columns + position - past)
    : at('band', position * width + reach - past);
  return {
    bias,
    step: inputs.positionBias ? columns : width - 1,
    u: at('u', position * rank),
    v: at('v', (position - past) * rank),
    rank,
  };
}

/** The kernels' arguments are addresses (0 for an absent tensor), the bias, the scratch, the sizes and the activation. */
function localKernel(entry: 'forward' | 'backward'): FusedKernel {
  const rows = (entry === 'forward' ? forwardRows : backwardRows).split(' ');
  return {
    run(call: KernelCall) {
      const { inputs, attributes, sizes, outputShapes } = call;
      const wasm = call.backend as WasmBackend;
      const { [entry]: kernel, forwardBytes, backwardBytes, copyRows } = module.exports(wasm);
      const geometry = geometryOf(inputs, attributes, sizes);
      const { batch, time, dim, past, sources, begin } = geometry;
      // Beyond the sources there is nothing to make room for.
      const windowSize = Math.min(attributes.windowSize as number, sources);
      const causal = Number(geometry.causal);
      const factored = Number(inputs.u !== undefined);
      const width = Math.max(dim, LEAST_DIM);
      const shapeOf = (name: string) => inputs[name]?.shape ?? outputShapes[name];
      const rowsOf = (name: string) => util.sizeFromShape(shapeOf(name)!) / dim;
      // Narrower rows are copied into wide ones; what the further lanes hold reaches no channel.
      const widened = width === dim ? [] : rows.filter((name) => name !== 'keyMask' && shapeOf(name) !== undefined);
      const wideBytes = widened.reduce((bytes, name) => bytes + 4 * width * rowsOf(name), 0);
      const ownBytes =
        entry === 'forward'
          ? forwardBytes(time, width, windowSize, causal, factored)
          : backwardBytes(width, windowSize, factored);
      return withScratch(wasm, ownBytes + wideBytes, (scratch) => {
        const { outputs, addressOf: pointer } = placeTensors(wasm, call);
        const own = rows.map(pointer);
        const used = [...own];
        let free = scratch + ownBytes;
        for (const name of widened) {
          const i = rows.indexOf(name);
          if (inputs[name]) copyRows(own[i]!, dim, free, width, rowsOf(name));
          used[i] = free;
          free += 4 * width * rowsOf(name);
        }
        const { bias, step, u, v, rank } = biasArguments(call, geometry, pointer);
        const biases = [bias, step, u, v, rank];
        if (entry === 'backward') {
          for (const name of ['dBand', 'dPositionBias', 'dU', 'dV']) {
            const start = pointer(name);
            if (start !== 0) wasm.wasm.HEAPU8.fill(0, start, start + 4 * util.sizeFromShape(outputShapes[name]!));
          }
          const gradient = biasArguments(call, geometry, pointer, 'd');
          biases.push(gradient.bias, gradient.u, gradient.v);
        }
        const activation = queryActivations.indexOf(attributes.queryActivation as QueryActivation);
        const counts = [batch, time, width, past, windowSize, begin, causal, activation];
        kernel(...used, ...biases, scratch, ...counts, ...(entry === 'backward' ? [dim] : []));
        for (const name of widened) {
          const i = rows.indexOf(name);
          if (!inputs[name]) copyRows(used[i]!, width, own[i]!, dim, rowsOf(name));
        }
        return outputs;
      });
    },
  };
}

export const wasmAftLocal = /* @__PURE__ */ localKernel('forward');
export const wasmAftLocalBackward = /* @__PURE__ */ localKernel('backward');
