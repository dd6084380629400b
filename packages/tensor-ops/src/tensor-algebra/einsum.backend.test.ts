import { describeBackends, describeForms, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { implementationOf } from '../operator/implementation';
import { einsum } from './einsum';
import { einsumPairOperator } from './pair-operator';
import { agreesWithEquation } from './test-einsum';

/** Equations of two operands in which something is contracted: one step, fused where a kernel is. */
const contractions: [equation: string, ...shapes: number[][]][] = [
  ['ij,jk->ik', [5, 7], [7, 6]],
  ['ij,kj->ik', [5, 7], [6, 7]],
  ['ji,jk->ki', [7, 5], [7, 6]],
  ['i,i->', [9], [9]],
  ['bi,bi->b', [3, 130], [3, 130]],
  ['ij,j->i', [5, 7], [7]],
  ['bij,bjk->bik', [3, 5, 4], [3, 4, 2]],
  ['bij,jk->bik', [3, 5, 4], [4, 2]],
  ['ij,bjk->bik', [5, 4], [3, 4, 2]],
  ['bji,jk->bki', [3, 4, 5], [4, 2]],
  ['bqhd,bkhd->bhqk', [2, 3, 2, 5], [2, 4, 2, 5]],
  ['ijk,jli->kl', [2, 3, 4], [3, 5, 2]],
  ['abcd,dbea->ec', [2, 3, 4, 2], [2, 3, 5, 2]],
  ['aibjck,ijk->abc', [2, 3, 2, 2, 3, 2], [3, 2, 2]],
  ['ij,jk->ik', [1, 7], [7, 1]],
  ['bij,bjk->bik', [1, 5, 4], [3, 4, 2]],
  ['bij,bjk->ik', [3, 5, 4], [3, 4, 2]],
  ['ij,jk->ik', [17, 257], [257, 19]],
];

describeForms('einsum of two operands', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each(contractions)('agrees with the reference: %s of %j and %j', async (equation, ...shapes) => {
    await agreesWithEquation((...operands) => form.run(() => einsum(equation, ...operands)), equation, shapes, form.tolerance);
  });
});

/** What else an equation can say; the second string is the same with a letter per axis. */
const equations: [given: string, spelled: string, ...shapes: number[][]][] = [
  ['ii', 'ii->', [5, 5]],
  ['ii->i', 'ii->i', [5, 5]],
  ['iji->j', 'iji->j', [4, 3, 4]],
  ['jiii->ij', 'jiii->ij', [2, 3, 3, 3]],
  ['iijj->ij', 'iijj->ij', [2, 2, 3, 3]],
  ['ij->ji', 'ij->ji', [3, 4]],
  ['ij->', 'ij->', [3, 4]],
  ['ba', 'ba->ab', [3, 4]],
  ['ij->ij', 'ij->ij', [2, 3]],
  ['->', '->', []],
  ['aibjck->bca', 'aibjck->bca', [2, 3, 2, 2, 3, 2]],
  ['afbecd->dcbafe', 'afbecd->dcbafe', [2, 3, 2, 2, 3, 2]],
  ['i->', 'i->', [1000]],
  ['ij->i', 'ij->i', [3, 2049]],
  ['ib,ib->b', 'ib,ib->b', [6, 3], [6, 3]],
  ['ibc,bci->cb', 'ibc,bci->cb', [300, 2, 3], [2, 3, 300]],
  ['i,j->ij', 'i,j->ij', [3], [4]],
  ['i,j->ji', 'i,j->ji', [3], [4]],
  [',ij->ij', ',ij->ij', [], [2, 3]],
  ['bi,bj->bij', 'bi,bj->bij', [2, 3], [2, 4]],
  ['bi,bi->bi', 'bi,bi->bi', [2, 3], [2, 3]],
  ['ij,jk,ki', 'ij,jk,ki->', [2, 3], [3, 4], [4, 2]],
  ['ij,jk,kl,lm->im', 'ij,jk,kl,lm->im', [2, 7], [7, 3], [3, 5], [5, 2]],
  ['i,i,i->i', 'i,i,i->i', [4], [4], [4]],
  ['ij,kl->', 'ij,kl->', [2, 3], [4, 2]],
  ['ii,i->', 'ii,i->', [3, 3], [3]],
  ['...ij,...jk->...ik', 'abij,bjk->abik', [2, 3, 2, 4], [3, 4, 2]],
  ['...ij,...jk', 'abij,abjk->abik', [2, 1, 2, 4], [1, 3, 4, 2]],
  ['...i->...', 'abi->ab', [2, 3, 4]],
  ['i...->i', 'iab->i', [2, 3, 4]],
  ['i...,i...->...', 'iab,ib->ab', [2, 3, 4], [2, 4]],
  ['ij,jk->ik', 'ij,jk->ik', [3, 4], [1, 5]],
  ['ij,ij->ij', 'ij,ij->ij', [3, 1], [1, 4]],
  ['ii->i', 'ii->i', [1, 3]],
  ['abcdefg,gfedcba->', 'abcdefg,gfedcba->', [2, 1, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 1, 2]],
  ['ab,bc,cd,de,ef,fg,ga->', 'ab,bc,cd,de,ef,fg,ga->', [2, 3], [3, 2], [2, 3], [3, 2], [2, 3], [3, 2], [2, 2]],
  ['a i b j , c b a i d -> i a j d b c', 'aibj,cbaid->iajdbc', [2, 3, 2, 2], [2, 2, 2, 3, 2]],
];

const drawn = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  terms: fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
  sizes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 }),
  broadcasts: fc.array(fc.nat({ max: 7 }), { minLength: 16, maxLength: 16 }),
  output: fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e']),
});

describeBackends('einsum', ({ tolerance, name }) => {
  test.each(equations)('agrees with the reference: %s as %s of %j %j', async (given, spelled, ...shapes) => {
    await agreesWithEquation((...operands) => einsum(given, ...operands), spelled, shapes, tolerance);
  });

  test('agrees with the reference on random equations', async () => {
    const property = fc.asyncProperty(drawn, async ({ terms, sizes, output, broadcasts }) => {
      const inputs = terms.map((labels) => labels.join(''));
      const outputs = output.filter((label) => inputs.some((term) => term.includes(label))).join('');
      const shapes = inputs.map((term, i) =>
        [...term].map((label, axis) => (broadcasts[4 * i + axis] === 0 ? 1 : sizes['abcde'.indexOf(label)]!)),
      );
      const equation = `${inputs.join(',')}->${outputs}`;
      await agreesWithEquation((...operands) => einsum(equation, ...operands), equation, shapes, tolerance);
    });
    await fc.assert(property, { numRuns: name === 'webgpu' ? 20 : 150, seed: 5 });
  });

  test('gives zeros, or nothing, where an axis is empty, gradients included', async () => {
    const [a, b] = [tf.zeros([2, 0]), tf.zeros([0, 3])];
    expect(Array.from(await einsum('ij,jk->ik', a, b).data())).toEqual([0, 0, 0, 0, 0, 0]);
    expect(einsum('ij,jk->jki', a, b).shape).toEqual([0, 3, 2]);
    expect(einsum('ij->i', a).shape).toEqual([2]);
    expect(einsum('ii->i', tf.zeros([0, 0])).shape).toEqual([0]);
    const [da, db] = tf.grads((x: tf.Tensor, y: tf.Tensor) => einsum('ij,jk->ik', x, y))([a, b]);
    expect([da!.shape, db!.shape]).toEqual([
      [2, 0],
      [0, 3],
    ]);
  });

  test('a product of three frees its intermediates, and so does its gradient', async () => {
    const [a, b, c] = [tf.ones([3, 4]), tf.ones([4, 5]), tf.ones([5, 5, 2])];
    const call = (...operands: tf.Tensor[]) => einsum('ij,jk,kkl->il', ...operands);
    await expectNoLeak(() => call(a, b, c));
    await expectNoLeak(() => tf.grads(call)([a, b, c]));
    await expectNoLeak(() => {
      expect(() => einsum('ij,jk', a, c)).toThrow('einsum');
    });
  });

  test('a product of matrices is fused on wasm and webgpu, one element by element is not', () => {
    const formOf = (yLabels: string) => {
      const attributes = { aLabels: 'ij', bLabels: 'jk', yLabels };
      return implementationOf(einsumPairOperator, { a: [2, 3], b: [3, 4] }, attributes);
    };
    expect(formOf('ik').form).toBe(name === 'cpu' ? 'composed' : 'fused');
    expect(formOf('ijk').form).toBe('composed');
    if (name === 'wasm') expect(formOf('ijk').reason).toBe('the operands are multiplied element by element');
  });

  test('makes no product of all labels', async () => {
    const [a, b] = [tf.ones([64, 80]), tf.ones([80, 64])];
    const before = tf.memory().numBytes;
    const { peakBytes } = await tf.profile(() => einsum('ij,jk->ik', a, b));
    // Operands and result have 60 kB, the product of all labels would have 1.3 MB.
    expect(peakBytes - before).toBeLessThan(100_000);
  });

  test('a tensor that is two operands has the gradient of both', async () => {
    const x = tf.tensor1d([1, -2, 3]);
    const gradient = tf.grad((v: tf.Tensor) => einsum('i,i->', v, v))(x);
    expect(Array.from(await gradient.data())).toEqual([2, -4, 6]);
  });

  test('NaN beside a diagonal does not reach it', async () => {
    if (name === 'webgpu') return;
    const x = tf.tensor2d([1, Number.NaN, Number.NaN, 2], [2, 2]);
    expect(Array.from(await einsum('ii->i', x).data())).toEqual([1, 2]);
  });
});
