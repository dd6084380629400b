import { matMul } from '@mixfold/tensor-ops';
import { add, clone, ones, reshape, type Tensor, type Tensor1D } from '@tensorflow/tfjs-core';
import { linearMap } from './linear-map';

/** `x [..., channels]` with a bias per channel. The gradient of the bias is a product with ones: it adds in parts, and so keeps its digits. */
export function addBias<Result extends Tensor>(x: Result, bias: Tensor1D | undefined): Result {
  if (bias === undefined) return x;
  const channels = bias.shape[0];
  return linearMap(
    [x, bias],
    ([given, own]) => add(given!, own!),
    (dResult) => [clone(dResult), columnSums(reshape(dResult, [-1, channels]))],
  );
}

/** The sum over rows. */
export function columnSums(x: Tensor): Tensor {
  const [rows, columns] = x.shape as [number, number];
  return reshape(matMul(ones([1, rows]), x), [columns]);
}
