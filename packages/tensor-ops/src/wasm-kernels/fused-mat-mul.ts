import { getKernel, type KernelFunc, type NamedAttrMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { OptionError, ShapeError } from '../errors';
import type { WasmBackend } from '../wasm/index';
import { activationCodes, type FusableActivation, matrixProduct } from './matrix-product';

/** The tfjs kernel of each activation, for operands that the epilogue of the product does not take. */
const activationKernels: Record<Exclude<FusableActivation, 'linear' | 'prelu'>, string> = {
  relu: 'Relu',
  relu6: 'Relu6',
  leakyrelu: 'LeakyRelu',
  sigmoid: 'Sigmoid',
  elu: 'Elu',
};

/**
 * tfjs's kernel `_FusedMatMul`, behind `tf.fused.matMul` and dense layers: activation(a b + bias).
 *
 * A bias and PReLU slopes of one number per column cost nothing beyond the product; any other that broadcasts to it is applied by tfjs's own
 * kernels afterwards.
 */
export const fusedMatMul: KernelFunc = ({ inputs, backend, attrs }) => {
  const { a, b, bias, preluActivationWeights } = inputs;
  const { transposeA = false, transposeB = false, activation: name, leakyreluAlpha } = attrs ?? {};
  const activation = activationOf(name, preluActivationWeights);
  const slope = typeof leakyreluAlpha === 'number' ? leakyreluAlpha : 0;
  const wasm = backend as WasmBackend;
  const product = (epilogue = {}) => matrixProduct(wasm, a!, b!, Boolean(transposeA), Boolean(transposeB), epilogue);

  const columns = (transposeB ? b!.shape.at(-2) : b!.shape.at(-1)) ?? 0;
  const slopes = activation === 'prelu' ? preluActivationWeights : undefined;
  if (isRow(bias, columns) && isRow(slopes, columns)) return product({ bias, activation, slope, slopes });

  const run = (kernel: string, operands: Record<string, TensorInfo>, attrs: NamedAttrMap = {}) =>
    getKernel(kernel, 'wasm').kernelFunc({ inputs: operands, backend, attrs }) as TensorInfo;
  /** The result of a step, after disposing what the step alone needed. */
  const then = (made: TensorInfo[], result: TensorInfo) => {
    for (const { dataId } of made) wasm.disposeData(dataId);
    return result;
  };
  let x = product();
  if (bias) x = then([x], run('Add', { a: x, b: bias }));
  if (slopes) x = then([x], prelu(x, slopes, run, then));
  else if (activation !== 'linear' && activation !== 'prelu') {
    x = then([x], run(activationKernels[activation], { x }, { alpha: slope }));
  }
  return x;
};

/** relu(x) - slopes relu(-x). tfjs's own kernel takes one slope per column, or reads past them. */
function prelu(
  x: TensorInfo,
  slopes: TensorInfo,
  run: (kernel: string, operands: Record<string, TensorInfo>) => TensorInfo,
  then: (made: TensorInfo[], result: TensorInfo) => TensorInfo,
): TensorInfo {
  const minus = run('Neg', { x });
  const below = then([minus], run('Relu', { x: minus }));
  const leak = then([below], run('Multiply', { a: below, b: slopes }));
  const above = run('Relu', { x });
  return then([above, leak], run('Sub', { a: above, b: leak }));
}

function activationOf(name: unknown, slopes: TensorInfo | undefined): FusableActivation {
  const activation = name ?? 'linear';
  if (typeof activation !== 'string' || !Object.hasOwn(activationCodes, activation)) {
    throw new OptionError(
      `fused matMul: activation must be one of ${Object.keys(activationCodes).join(', ')}, is ${String(name)}`,
    );
  }
  if (activation === 'prelu' && !slopes) throw new ShapeError("fused matMul: activation 'prelu' needs preluActivationWeights");
  return activation as FusableActivation;
}

/** Whether an operand is absent or one float per column, the same for every row. */
function isRow(operand: TensorInfo | undefined, columns: number): boolean {
  if (!operand) return true;
  return operand.dtype === 'float32' && operand.shape.at(-1) === columns && util.sizeFromShape(operand.shape) === columns;
}
