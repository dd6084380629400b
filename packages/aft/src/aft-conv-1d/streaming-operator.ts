import { type Attributes, type ComposeCall, defineOperator, ShapeError } from '@mixfold/tensor-ops';
import { composedStreaming, composedStreamingBackward } from '../conv-grid/composed-streaming';
import { convRules, geometryOf } from '../conv-grid/geometry';
import { wasmStreaming, wasmStreamingBackward } from '../conv-grid/wasm';
import { type QueryActivation, queryActivations } from '../query-activation';
import { memoryLayout } from '../window-memory';

const attributes: { queryActivation: QueryActivation } = { queryActivation: 'sigmoid' };
const attributeRules = { queryActivation: queryActivations };

/** The rules of AFT-conv, and that a memory is as long as its window asks for. */
function shapes(inputs: Readonly<Record<string, readonly number[]>>): Record<string, readonly number[]> {
  const named = convRules('aftConv1d')(inputs);
  const [keyWidth, window] = inputs.kernel as [number, number];
  const { length } = memoryLayout({ keyWidth, dim: inputs.value!.at(-1)!, past: window - 1 });
  const found = inputs.memory!.at(-1)!;
  if (found === length) return named;
  throw new ShapeError(`aftConv1d: memory must have ${length} numbers per batch entry for this kernel and value, got ${found}`);
}

type Inputs = Parameters<typeof composedStreaming>[0];
type BackwardInputs = Parameters<typeof composedStreamingBackward>[0];

const compose = (inputs: Inputs, { queryActivation }: Attributes, { sizes }: ComposeCall) =>
  composedStreaming(inputs, queryActivation as QueryActivation, geometryOf(sizes, true));

const composeBackward = (inputs: BackwardInputs, { queryActivation }: Attributes, { sizes }: ComposeCall) =>
  composedStreamingBackward(inputs, queryActivation as QueryActivation, geometryOf(sizes, true));

/** The gradient of `aftConv1dStreamingOperator`. */
export const aftConv1dStreamingBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv1dStreamingBackward',
  publicName: 'aftConv1d',
  inputs: {
    query: 'batch time dim',
    key: 'batch time heads',
    value: 'batch time dim',
    kernel: 'heads window',
    'keyMask?': 'batch time',
    memory: 'batch terms',
    context: 'batch time dim',
    logNormalizer: 'batch time heads',
    logRest: 'batch time heads',
    finalMemory: 'batch terms',
    dOutput: 'batch time dim',
    dFinalMemory: 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch time dim',
    dKey: 'batch time heads',
    dValue: 'batch time dim',
    dKernel: 'heads window',
    dMemory: 'batch terms',
  },
  shapes,
  compose: composeBackward,
  kernels: { wasm: wasmStreamingBackward },
});

/** Causal AFT-conv over time that continues an earlier call; see `memoryLayout` for what it remembers. */
export const aftConv1dStreamingOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv1dStreaming',
  publicName: 'aftConv1d',
  inputs: {
    query: 'batch time dim',
    key: 'batch time heads',
    value: 'batch time dim',
    kernel: 'heads window',
    'keyMask?': 'batch time',
    memory: 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim', finalMemory: 'batch terms' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time heads', logRest: 'batch time heads' },
  shapes,
  compose,
  kernels: { wasm: wasmStreaming },
  backward: aftConv1dStreamingBackwardOperator,
});
