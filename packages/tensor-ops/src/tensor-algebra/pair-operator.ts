import { engine, type Tensor, type TensorInfo, tidy } from '@tensorflow/tfjs-core';
import { defineOperator } from '../operator/define-operator';
import type { FusedKernel, KernelCall } from '../operator/types';
import type { WasmBackend } from '../wasm/index';
import { matrixProduct } from '../wasm-kernels/matrix-product';
import { acceptsBindings } from '../webgpu/accepts-bindings';
import { webGpuStackProduct } from '../webgpu/matrix-product';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { contractPair, type MatrixProduct } from './contract-pair';
import { longLabels, longSizes, type MatrixLayout, type PairLabels, pairLayout } from './pair-layout';
import { viewAs } from './permute-axes';

const attributes = { aLabels: '', bLabels: '', yLabels: '' };

/** One contraction in the form that is asked for. */
type Contract<T extends TensorInfo> = (a: T, b: T, labels: PairLabels, shape: readonly number[]) => T;

const composedContract: Contract<Tensor> = (a, b, labels, shape) => viewAs(contractPair(a, b, labels), shape);

/** The gradient of a contraction is a contraction: of the gradient that arrives with the other operand. */
function backward<T extends TensorInfo>(
  { a, b, dY }: { a: T; b: T; dY: T },
  { aLabels, bLabels, yLabels }: PairLabels,
  { outputShapes: { dA, dB } }: Pick<KernelCall, 'outputShapes'>,
  contract: Contract<T>,
): Record<string, T> {
  const made: Record<string, T> = {};
  // Axes of size 1 are left out: what went with them is summed.
  if (dA) made.dA = contract(dY, b, { aLabels: yLabels, bLabels, yLabels: longLabels(aLabels, a.shape) }, dA);
  if (dB) made.dB = contract(a, dY, { aLabels, bLabels: yLabels, yLabels: longLabels(bLabels, b.shape) }, dB);
  return made;
}

/** A product of stacks of matrices in one kernel, whatever is transposed. */
type FusedProduct = (backend: unknown, a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) => TensorInfo;

/** Ours on the heap of tfjs, which for transposed and stacked matrices is many times as fast as its own. */
const wasmProduct: FusedProduct = (backend, ...operands) => matrixProduct(backend as WasmBackend, ...operands);

const webGpuProduct: FusedProduct = (backend, ...operands) => webGpuStackProduct(webGpuBackend(backend), ...operands);

/** By a fused product. Operands that lie as it takes them go straight to it: a view is the same data under another shape. */
const contractBy =
  (fusedProduct: FusedProduct, backend: unknown): Contract<TensorInfo> =>
  (a, b, labels, shape) => {
    const { product, own, result } = pairLayout(labels, a.shape, b.shape);
    if (product !== null) {
      const { operands, swapped } = product;
      const [x, y, xLabels, yLabels] = swapped ? [b, a, own[1], own[0]] : [a, b, own[0], own[1]];
      const isInPlace = operands[0].labels === xLabels && operands[1].labels === yLabels && product.labels === result;
      if (isInPlace) {
        const view = (info: TensorInfo, { shape }: MatrixLayout) => ({
          dataId: info.dataId,
          dtype: info.dtype,
          shape: [...shape],
        });
        const [first, second] = operands;
        const made = fusedProduct(backend, view(x, first), view(y, second), first.transposed, second.transposed);
        return { dataId: made.dataId, dtype: made.dtype, shape: [...shape] };
      }
    }
    const multiply: MatrixProduct = (left, right, transposeLeft, transposeRight) =>
      engine().makeTensorFromTensorInfo(fusedProduct(backend, left, right, transposeLeft, transposeRight));
    return tidy(() => viewAs(contractPair(a as Tensor, b as Tensor, labels, multiply), shape));
  };

const asLabels = (call: Pick<KernelCall, 'attributes'>) => call.attributes as unknown as PairLabels;

const pairKernel = (fusedProduct: FusedProduct, acceptsSizes?: FusedKernel['accepts']): FusedKernel => ({
  accepts(call) {
    const { a, b } = call.inputs;
    const { product } = pairLayout(asLabels(call), a!.shape, b!.shape);
    return product === null ? 'the operands are multiplied element by element' : (acceptsSizes?.(call) ?? null);
  },
  run(call) {
    const { a, b } = call.inputs;
    return { y: contractBy(fusedProduct, call.backend)(a!, b!, asLabels(call), call.outputShapes.y!) };
  },
});

const pairBackwardKernel = (fusedProduct: FusedProduct, accepts?: FusedKernel['accepts']): FusedKernel => ({
  ...(accepts ? { accepts } : {}),
  run(call) {
    const inputs = call.inputs as Record<'a' | 'b' | 'dY', TensorInfo>;
    return backward(inputs, asLabels(call), call, contractBy(fusedProduct, call.backend));
  },
});

const wasmPair = /* @__PURE__ */ pairKernel(wasmProduct);
const wasmPairBackward = /* @__PURE__ */ pairBackwardKernel(wasmProduct);
const webGpuPair = /* @__PURE__ */ pairKernel(webGpuProduct, acceptsBindings);
const webGpuPairBackward = /* @__PURE__ */ pairBackwardKernel(webGpuProduct, acceptsBindings);

/** The gradient of `einsumPairOperator`. */
export const einsumPairBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EinsumPairBackward',
  publicName: 'einsum',
  inputs: { a: '...a', b: '...b', dY: '...y' },
  attributes,
  outputs: { dA: '...a', dB: '...b' },
  compose: (inputs, labels, call) => backward(inputs, labels, call, composedContract),
  kernels: { wasm: wasmPairBackward, webgpu: webGpuPairBackward },
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
  kernels: { wasm: wasmPair, webgpu: webGpuPair },
  backward: einsumPairBackwardOperator,
  separateGradients: true,
});
