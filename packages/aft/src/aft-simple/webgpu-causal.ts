import type { KernelCall } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { acceptsSimple, chunkSums, disposeMade, loadSums, placeOf, runLanes, sizesOf, storeSums } from './webgpu-lanes';

/** From this length on a scan runs in chunks, side by side. */
export const CHUNKED_FROM = 256;

/** Storage buffers that a program may bind on every WebGPU device. */
const MOST_BUFFERS = 8;

/** Steps per chunk, a power of two: chunk and chunks together are the longest chain of steps, and the chunks fit in one dispatch. */
export const scanChunk = (time: number) => Math.max(16, 2 ** Math.floor(Math.log2(time) / 2), Math.ceil(time / 32768));

const firstSums = ({ initialState }: KernelCall['inputs']) =>
  initialState ? `Sums(${[0, 1, 2].map((part) => `initialState[partOf(${part}u, lane)]`).join(', ')})` : 'nothing';

const storeFinal = ['largest', 'numerator', 'denominator']
  .map((part, i) => `finalState[partOf(${i}u, lane)] = sums.${part};`)
  .join(' ');

/** One dispatch for a short sequence; three for a long one: sums of each chunk, a scan over the chunks, a scan in each chunk. */
export const webgpuAftSimpleCausal = {
  accepts: acceptsSimple,
  run(call: KernelCall): Record<string, TensorInfo> {
    const { time } = sizesOf(call);
    const buffers = Object.keys(call.inputs).length + Object.keys(call.outputShapes).length;
    if (time < CHUNKED_FROM && buffers <= MOST_BUFFERS) {
      return scan(call, time, call.outputShapes, { reads: ' initialState', first: firstSums(call.inputs), last: storeFinal });
    }
    const { finalState, ...shapes } = call.outputShapes;
    const chunk = scanChunk(time);
    const partial = chunkSums(call, chunk);
    const { carry, ...final } = scanChunks(call, chunk, partial, finalState!);
    const outputs = scan(call, chunk, shapes, { made: { carry }, first: loadSums('carry', placeOf('id.y', 3)), last: '' });
    disposeMade(call, [partial, carry]);
    return { ...outputs, ...final };
  },
};

/** Where a scan begins, and what it does at its end. */
interface ScanEnds {
  reads?: string;
  made?: Record<string, TensorInfo>;
  first: string;
  last: string;
}

/** Every target's output, by walking through its chunk. */
function scan(call: KernelCall, chunk: number, outputs: Record<string, number[]>, { reads = '', made, first, last }: ScanEnds) {
  return runLanes(call, {
    name: made ? 'AftSimpleCausalChunks' : 'AftSimpleCausal',
    reads: `query key value keyMask${reads}`,
    ...(made ? { made } : {}),
    outputs,
    chunk,
    body: `
  var sums = ${first};
  for (var t = begin; t < end; t++) {
    let i = elementOf(lane, t);
    if (attends(lane, t)) { sums = included(sums, key[i], value[i]); }
    let mean = meanOf(sums);
    output[i] = gated(i).x * mean;
    ${outputs.context ? 'context[i] = mean; logNormalizer[i] = logOf(sums);' : ''}
  }
  ${last}`,
  });
}

/** The sums before each chunk, `[chunks, 3, lanes]`, and those after the last. */
function scanChunks(call: KernelCall, chunk: number, partial: TensorInfo, finalState: number[]) {
  return runLanes(
    call,
    {
      name: 'AftSimpleCausalCarry',
      reads: 'initialState',
      made: { partial },
      outputs: { carry: partial.shape, finalState },
      chunk,
      body: `
  var sums = ${firstSums(call.inputs)};
  for (var c = 0u; c * uniforms.chunk < uniforms.time; c++) {
    let at = ${placeOf('c', 3)};
    ${storeSums('carry', 'at')}
    sums = merged(sums, ${loadSums('partial', 'at')});
  }
  ${storeFinal}`,
    },
    1,
  );
}
