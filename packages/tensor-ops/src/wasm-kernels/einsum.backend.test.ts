import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreesWithEquation } from '../tensor-algebra/test-einsum';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';

describeBackends(
  'tf.einsum with our kernel',
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());
    const values = async (x: tf.Tensor) => Array.from(await x.data());

    it.each<[string, number[][]]>([
      ['ij->ji', [[3, 5]]],
      ['ij->', [[3, 5]]],
      ['ij->j', [[3, 5]]],
      ['i,i->', [[7], [7]]],
      ['i,j->ij', [[3], [5]]],
      [
        'ij,jk->ik',
        [
          [3, 5],
          [5, 2],
        ],
      ],
      [
        'ij,jk->i',
        [
          [3, 5],
          [5, 2],
        ],
      ],
      [
        'bij,bjk->bik',
        [
          [2, 3, 5],
          [2, 5, 4],
        ],
      ],
      [
        'abc,cde->abde',
        [
          [2, 3, 5],
          [5, 2, 7],
        ],
      ],
      [
        'bthd,bshd->bhts',
        [
          [2, 3, 2, 5],
          [2, 4, 2, 5],
        ],
      ],
      ['ii->', [[4, 4]]],
      ['iij->ij', [[3, 3, 2]]],
      [
        'ij,jk,kl->il',
        [
          [2, 3],
          [3, 4],
          [4, 5],
        ],
      ],
      [
        'ij,jk,kl->',
        [
          [2, 3],
          [3, 4],
          [4, 5],
        ],
      ],
      [
        'bi,bj->bij',
        [
          [1, 3],
          [4, 2],
        ],
      ],
      [
        'ij,ij->j',
        [
          [4, 1],
          [4, 3],
        ],
      ],
    ])('%s has the value and gradients of float64', async (equation, shapes) => {
      await agreesWithEquation((...operands) => tf.einsum(equation, ...operands), equation, shapes, tolerance);
    });

    it('has the gradient of an ellipsis', async () => {
      const call = (...operands: tf.Tensor[]) => tf.einsum('...ij,...jk->...ik', ...operands);
      await agreesWithEquation(
        call,
        'abij,bjk->abik',
        [
          [2, 3, 4, 5],
          [3, 5, 2],
        ],
        tolerance,
      );
    });

    it('takes integers and no elements', async () => {
      const integers = tf.einsum('i,i->i', tf.tensor1d([1, 2, 3], 'int32'), tf.tensor1d([4, 5, 6], 'int32'));
      expect(integers.dtype).toBe('int32');
      expect(await values(integers)).toEqual([4, 10, 18]);
      expect(await values(tf.einsum('ij,jk->ik', tf.zeros([2, 0]), tf.zeros([0, 3])))).toEqual([0, 0, 0, 0, 0, 0]);
    });

    it('says what does not fit', () => {
      expect(() => tf.einsum('ij,jk->ik', tf.zeros([2, 3]), tf.zeros([4, 5]))).toThrow(
        /label 'j' is 3 in operand 0 but 4 at axis 0/,
      );
      expect(() => tf.einsum('ij->k', tf.zeros([2, 3]))).toThrow(/label 'k' at position 4 of the output is in no operand/);
    });

    it('does not leak', async () => {
      const [a, b] = [tf.ones([2, 3, 4]), tf.ones([2, 4, 5])];
      await expectNoLeak(() => tf.einsum('bij,bjk->bik', a, b));
      await expectNoLeak(() => tf.einsum('bij->jbi', a));
      await expectNoLeak(() => tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.einsum('bij,bjk->ik', x, y))([a, b]));
    });
  },
  { only: ['wasm'] },
);
