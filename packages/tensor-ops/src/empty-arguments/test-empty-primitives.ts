import * as tf from '@tensorflow/tfjs-core';
import * as ops from '../index';
import { call, type EmptyCall, kept } from './test-empty-call';

const ids = (...shape: number[]) => tf.zeros(shape, 'int32');

/** Primitives with each of their axes empty. */
export const emptyPrimitives: Readonly<Record<string, readonly EmptyCall[]>> = {
  cumulativeSum: [
    ...kept((x: tf.Tensor) => ops.cumulativeSum(x, 1), [0, 3], [2, 0], [2, 0, 3], [2, 3, 0]),
    ...kept((x: tf.Tensor) => ops.cumulativeSum(x, -1, { reverse: true, exclusive: true }), [0], [0, 3]),
  ],
  depthwiseConv1d: [
    call((x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k), '[0, 4, 3], [2, 3]', [0, 4, 3]),
    call((x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k, { causal: true }), '[2, 0, 3], [2, 3]', [2, 0, 3]),
    call((x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k), '[2, 4, 0], [2, 0]', [2, 4, 0]),
    call((x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k), '[2, 4, 3], [0, 3]', [2, 4, 3]),
  ],
  depthwiseConv2d: [
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[0, 4, 3, 2], [2, 3, 2]', [0, 4, 3, 2]),
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[2, 0, 3, 2], [2, 3, 2]', [2, 0, 3, 2]),
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[2, 4, 0, 2], [2, 3, 2]', [2, 4, 0, 2]),
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[2, 4, 3, 0], [2, 3, 0]', [2, 4, 3, 0]),
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[2, 4, 3, 2], [0, 3, 2]', [2, 4, 3, 2]),
    call((x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k), '[2, 4, 3, 2], [2, 0, 2]', [2, 4, 3, 2]),
  ],
  dropout: kept((x: tf.Tensor) => ops.dropout(x, { rate: 0.5, seed: 1 }), [0], [2, 0, 3]),
  embedding: [
    call((table: tf.Tensor2D) => ops.embedding(table, ids(0)), '[5, 3]', [0, 3]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(2, 0)), '[5, 3]', [2, 0, 3]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(2)), '[5, 0]', [2, 0]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(0)), '[0, 3]', [0, 3]),
  ],
  gelu: kept((x: tf.Tensor) => ops.gelu(x, { approximate: 'tanh' }), [0], [2, 0, 3]),
  layerNorm: [
    call((x: tf.Tensor, g: tf.Tensor1D, b: tf.Tensor1D) => ops.layerNorm(x, g, b), '[0, 3], [3], [3]', [0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.layerNorm(x, g), '[2, 0, 3], [3]', [2, 0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D, b: tf.Tensor1D) => ops.layerNorm(x, g, b), '[2, 0], [0], [0]', [2, 0]),
  ],
  logSumExp: [
    call((x: tf.Tensor) => ops.logSumExp(x), '[0, 3]', [0]),
    call((x: tf.Tensor) => ops.logSumExp(x), '[2, 0]', [2], { value: Number.NEGATIVE_INFINITY }),
    call((x: tf.Tensor) => ops.logSumExp(x, 1), '[2, 3, 0]', [2, 0]),
    call((x: tf.Tensor) => ops.logSumExp(x, 0), '[0]', [], { value: Number.NEGATIVE_INFINITY }),
  ],
  matMul: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b), '[2, 0], [0, 3]', [2, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b), '[0, 2], [2, 3]', [0, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b), '[4, 2, 5], [5, 0]', [4, 2, 0]),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b, { transposeA: true, transposeB: true }),
      '[4, 0, 2], [4, 3, 0]',
      [4, 2, 3],
    ),
    call((a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b), '[0, 2, 5], [0, 5, 3]', [0, 2, 3]),
  ],
  rmsNorm: [
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.rmsNorm(x, g), '[0, 3], [3]', [0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.rmsNorm(x, g), '[2, 0], [0]', [2, 0]),
  ],
  rotaryEmbedding: kept((x: tf.Tensor4D) => ops.rotaryEmbedding(x), [0, 2, 3, 4], [2, 0, 3, 4], [2, 2, 0, 4], [2, 2, 3, 0]),
  softmax: [
    ...kept((x: tf.Tensor) => ops.softmax(x), [0], [0, 3], [2, 0], [2, 0, 3]),
    ...kept((x: tf.Tensor) => ops.softmax(x, 1), [2, 3, 0], [2, 0, 3]),
    call((x: tf.Tensor) => ops.softmax(x, -1, { mask: tf.ones([0, 3]) }), '[0, 3]', [0, 3]),
  ],
  softmaxCrossEntropy: [
    call((x: tf.Tensor) => ops.softmaxCrossEntropy(x, ids(0)), '[0, 3]', []),
    call((x: tf.Tensor) => ops.softmaxCrossEntropy(x, ids(2, 0)), '[2, 0, 3]', []),
    call((x: tf.Tensor, y: tf.Tensor) => ops.softmaxCrossEntropy(x, y), '[0, 3], [0, 3]', []),
    call((x: tf.Tensor, y: tf.Tensor) => ops.softmaxCrossEntropy(x, y), '[2, 0], [2, 0]', []),
  ],
};
