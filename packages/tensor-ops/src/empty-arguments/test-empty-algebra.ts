import type * as tf from '@tensorflow/tfjs-core';
import * as ops from '../index';
import { call, type EmptyCall } from './test-empty-call';

/** Tensor algebra with each of its axes empty. */
export const emptyAlgebra: Readonly<Record<string, readonly EmptyCall[]>> = {
  einsum: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('ij,jk->ik', a, b), '[2, 0], [0, 3]', [2, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('ij,jk->ik', a, b), '[0, 2], [2, 3]', [0, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('bij,bjk->bik', a, b), '[4, 2, 0], [4, 0, 3]', [4, 2, 3]),
    call((a: tf.Tensor) => ops.einsum('ij->i', a), '[2, 0]', [2]),
    call((a: tf.Tensor) => ops.einsum('ij->', a), '[0, 3]', []),
    call((a: tf.Tensor) => ops.einsum('ii', a), '[0, 0]', []),
    call((a: tf.Tensor) => ops.einsum('ij->ji', a), '[0, 3]', [3, 0]),
    call((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => ops.einsum('i,j,k->ijk', a, b, c), '[2], [0], [3]', [2, 0, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('...i,...i->...', a, b), '[0, 3], [1, 3]', [0]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('i,i->i', a, b), '[0], [1]', [0]),
    call((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => ops.einsum('ij,jk,kl->il', a, b, c), '[2, 3], [3, 0], [0, 4]', [2, 4]),
  ],
  contract: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.contract(a, [1], b, [0]), '[2, 0], [0, 3]', [2, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.contract(a, [1], b, [0]), '[0, 2], [2, 3]', [0, 3]),
  ],
  outer: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.outer(a, b), '[0], [3]', [0, 3]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.outer(a, b), '[2, 3], [0, 4]', [2, 3, 0, 4]),
  ],
  unfold: [
    call((t: tf.Tensor) => ops.unfold(t, 1), '[2, 0, 3]', [0, 6]),
    call((t: tf.Tensor) => ops.unfold(t, 0), '[2, 0, 3]', [2, 0]),
  ],
  fold: [
    call((m: tf.Tensor) => ops.fold(m, 1, [2, 0, 3]), '[0, 6]', [2, 0, 3]),
    call((m: tf.Tensor) => ops.fold(m, 0, [2, 0, 3]), '[2, 0]', [2, 0, 3]),
  ],
  matricize: [call((t: tf.Tensor) => ops.matricize(t, [2, 0], [1]), '[2, 0, 3]', [6, 0])],
  dematricize: [call((m: tf.Tensor) => ops.dematricize(m, [2, 0], [1], [2, 0, 3]), '[6, 0]', [2, 0, 3])],
  modeProduct: [
    call((t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 1), '[2, 0, 3], [4, 0]', [2, 4, 3]),
    call((t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 1), '[2, 5, 0], [4, 5]', [2, 4, 0]),
    call((t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 0), '[2, 5], [0, 2]', [0, 5]),
  ],
  kronecker: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.kronecker(a, b), '[2, 0], [3, 4]', [6, 0]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.kronecker(a, b), '[2, 2], [0, 4]', [0, 8]),
  ],
  khatriRao: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.khatriRao(a, b), '[2, 0], [3, 0]', [6, 0]),
    call((a: tf.Tensor, b: tf.Tensor) => ops.khatriRao(a, b), '[0, 2], [3, 2]', [0, 2]),
  ],
  cpToTensor: [
    call((u: tf.Tensor, v: tf.Tensor) => ops.cpToTensor({ factors: [u, v] as never }), '[2, 0], [3, 0]', [2, 3]),
    call(
      (w: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.cpToTensor({ weights: w, factors: [u, v] } as never),
      '[2], [0, 2], [3, 2]',
      [0, 3],
    ),
  ],
  tuckerToTensor: [
    call(
      (core: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.tuckerToTensor({ core, factors: [u, v] } as never),
      '[0, 2], [4, 0], [3, 2]',
      [4, 3],
    ),
    call(
      (core: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.tuckerToTensor({ core, factors: [u, v] } as never),
      '[2, 2], [0, 2], [3, 2]',
      [0, 3],
    ),
  ],
};
