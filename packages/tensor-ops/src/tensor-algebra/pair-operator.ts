import { engine, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { defineOperator } from '../operator/define-operator';
import type { FusedKernel, KernelCall } from '../operator/types';
import type { WasmBackend } from '../wasm/index';
import { matrixProduct } from '../wasm-kernels/matrix-product';
import { contractPair, type MatrixProduct } from './contract-pair';
import { longLabels, longSizes, type PairLabels, pairLayout } from './pair-layout';
import { viewAs } from './permute-axes';

const attributes = { aLabels: '', bLabels: '', yLabels: '' };

/** The gradient of a contraction is a contraction: of the gradient that arrives with the other operand. */
function backward(a: Tensor, b: Tensor, dY: Tensor, { aLabels, bLabels, yLabels }: PairLabels, multiply?: MatrixProduct) {
  // Axes of size 1 are left out: what went with them is summed.
  const [aLong, bLong] = [longLabels(aLabels, a.shape), longLabels(bLabels, b.shape)];
  return {
    dA: viewAs(contractPair(dY, b, { aLabels: yLabels, bLabels, yLabels: aLong }, multiply), a.shape),
    dB: viewAs(contractPair(a, dY, { aLabels, bLabels: yLabels, yLabels: bLong }, multiply), b.shape),
  };
}

/** Our product of matrices on the heap of tfjs, which for transposed and stacked ones is many times as fast as its own. */
const wasmProduct =
  (backend: unknown): MatrixProduct =>
  (a, b, transposeA, transposeB) =>
    engine().makeTensorFromTensorInfo(matrixProduct(backend as WasmBackend, a, b, transposeA, transposeB));

const asTensors = ({ inputs }: KernelCall) => inputs as Readonly<Record<string, Tensor>>;
const asLabels = (call: Pick<KernelCall, 'attributes'>) => call.attributes as unknown as PairLabels;

const wasmPair: FusedKernel = {
  accepts(call) {
    const { a, b } = call.inputs;
    const { product } = pairLayout(asLabels(call), a!.shape, b!.shape);
    return product === null ? 'the operands are multiplied element by element' : null;
  },
  run(call) {
    const { a, b } = asTensors(call);
    return tidy(() => ({ y: contractPair(a!, b!, asLabels(call), wasmProduct(call.backend)) }));
  },
};

const wasmPairBackward: FusedKernel = {
  run(call) {
    const { a, b, dY } = asTensors(call);
    return tidy(() => backward(a!, b!, dY!, asLabels(call), wasmProduct(call.backend)));
  },
};

/** The gradient of `einsumPairOperator`. */
export const einsumPairBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EinsumPairBackward',
  publicName: 'einsum',
  inputs: { a: '...a', b: '...b', dY: '...y' },
  attributes,
  outputs: { dA: '...a', dB: '...b' },
  compose: ({ a, b, dY }, labels) => backward(a, b, dY, labels),
  kernels: { wasm: wasmPairBackward },
});

/**
 * A contraction of two tensors, the step that `einsum` is made of. The attributes label the axes of both and of the result; no label stands twice in one
 * of them, and each stands in two of the three. An axis of size 1 goes with any size.
 */
export const einsumPairOperator = /* @__PURE__ */ defineOperator({
  name: 'EinsumPair',
  publicName: 'einsum',
  inputs: { a: '...a', b: '...b' },
  attributes,
  outputs: { y: '...y' },
  shapes({ a, b }, { aLabels, bLabels, yLabels }) {
    const sizes = longSizes([aLabels, a!], [bLabels, b!]);
    return { '...y': [...yLabels].map((label) => sizes[label] ?? 1) };
  },
  compose: ({ a, b }, labels) => ({ y: contractPair(a, b, labels) }),
  kernels: { wasm: wasmPair },
  backward: einsumPairBackwardOperator,
});
