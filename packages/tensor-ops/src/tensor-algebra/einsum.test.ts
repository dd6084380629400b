import { SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, test } from 'vitest';
import { contractionPath } from './contraction-path';
import { einsum } from './einsum';
import { pairLayout } from './pair-layout';
import { einsumPairOperator } from './pair-operator';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const z = (...shape: number[]) => tf.zeros(shape);

test.each<[equation: string, operands: () => tf.Tensor[], message: string]>([
  ['ij,jk->iz', () => [z(2, 3), z(3, 4)], "einsum: label 'z' at position 8 of the output is in no operand in 'ij,jk->iz'"],
  ['ij,jk->ii', () => [z(2, 3), z(3, 4)], "label 'i' at position 8 stands twice in the output"],
  ['ij,jk', () => [z(2, 3), z(4, 5)], "label 'j' is 3 in operand 0 but 4 at axis 0 of operand 1"],
  ['ii', () => [z(2, 3)], "label 'i' is 2 in operand 0 but 3 at axis 1 of operand 0"],
  ['ij,jk', () => [z(2, 3), z(3)], "operand 1 has 1 axes, but 2 labels 'jk'"],
  ['...ijk', () => [z(2, 3)], "operand 0 has 2 axes, but 3 labels '...ijk'"],
  ['i,j,k', () => [z(2)], 'the number of operands is 3, but 1 tensors are given'],
  ['', () => [], 'the number of operands is 1, but 0 tensors are given'],
  ['i1', () => [z(2, 3)], "'1' at position 1 is neither a label nor ',', '->' or '...'"],
  ['ij->i,j', () => [z(2, 3)], "',' at position 5 is neither a label"],
  ['ij->i->j', () => [z(2, 3)], "'-' at position 5 is neither a label"],
  ['i..j', () => [z(2, 3)], "'.' at position 1 is neither a label"],
  ['...i...', () => [z(2, 3)], "a second '...' stands at position 4"],
])('refuses %s', (equation, operands, message) => {
  expect(() => einsum(equation, ...operands())).toThrow(message);
});

test('refuses what is not a float32 tensor, and shows every operand of a clash', () => {
  expect(() => einsum('i,i', z(2), [1, 2] as never)).toThrow('einsum: operand 1 must be a Tensor, got an array');
  expect(() => einsum('i,i', z(2), tf.zeros([2], 'int32'))).toThrow('einsum: operand 1 must be float32, got int32');
  expect(() => einsum(5 as never, z(2))).toThrow('einsum: the equation must be a string, got 5');
  expect(() => einsum('i,i', z(2), z(3))).toThrow(/\n {2}operand 0 {2}\[2\]\n {2}operand 1 {2}\[3\]/);
});

test('contractionPath refuses what einsum refuses, and shapes that are none', () => {
  expect(() =>
    contractionPath('ij,jk', [
      [2, 3],
      [4, 5],
    ]),
  ).toThrow("contractionPath: label 'j' is 3 in operand 0 but 4 at axis 0 of operand 1");
  expect(() => contractionPath('ij', [2, 3] as never)).toThrow('contractionPath: shapes[0] must be an array of sizes, got 2');
});

test('takes the order of least work', () => {
  expect(
    contractionPath('ij,jk,kl->il', [
      [2, 1000],
      [1000, 3],
      [3, 2],
    ]),
  ).toEqual({
    path: [
      [0, 1],
      [0, 1],
    ],
    flops: 2 * (2 * 1000 * 3 + 2 * 3 * 2),
    peakElements: 6,
  });
  const matrixThenVector = contractionPath('ij,jk,k->i', [[100, 100], [100, 100], [100]]);
  expect(matrixThenVector.path).toEqual([
    [1, 2],
    [0, 1],
  ]);
  expect(contractionPath('ij->j', [[3, 4]])).toEqual({ path: [[0]], flops: 12, peakElements: 4 });
});

/** Work of the cheapest order, by trying all. */
function leastWork(terms: readonly string[], output: string, sizes: Record<string, number>): number {
  if (terms.length === 1) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < terms.length; i++) {
    for (let j = i + 1; j < terms.length; j++) {
      const others = terms.filter((_, k) => k !== i && k !== j);
      const all = [...new Set(terms[i]! + terms[j]!)];
      const kept = all.filter((label) => (output + others.join('')).includes(label));
      const work = all.reduce((product, label) => product * sizes[label]!, kept.length < all.length ? 2 : 1);
      least = Math.min(least, work + leastWork([...others, kept.join('')], output, sizes));
    }
  }
  return least;
}

test('the search finds the least work of all orders, and the greedy order is within reach of it', () => {
  const random = new SeededRandom(4);
  for (let n = 0; n < 40; n++) {
    const sizes = Object.fromEntries([...'abcdefg'].map((label) => [label, 2 + random.integer(9)]));
    const terms = Array.from({ length: 3 + (n % 3) }, () => [...'abcdefg'].filter(() => random.uniform() < 0.4).join('') || 'a');
    const output = [...'abcdefg'].filter((label) => terms.join('').includes(label) && random.uniform() < 0.3).join('');
    // Labels of one operand alone are summed before; here each stands in two terms or in the output.
    const own = terms.map((term, i) => {
      return [...term].filter((label) => (output + terms.filter((_, k) => k !== i).join('')).includes(label)).join('');
    });
    const shapes = own.map((term) => [...term].map((label) => sizes[label]!));
    expect(contractionPath(`${own.join(',')}->${output}`, shapes).flops).toBe(leastWork(own, output, sizes));
  }
  const chain = contractionPath(
    'ab,bc,cd,de,ef,fg,gh->ah',
    [2, 3, 4, 5, 6, 7, 8].map((size) => [size, size + 1]),
  );
  expect(chain.path).toHaveLength(6);
  expect(chain.flops).toBeLessThan(3 * 2 * (2 * 3 * 4 + 2 * 4 * 5 + 2 * 5 * 6 + 2 * 6 * 7 + 2 * 7 * 8 + 2 * 8 * 9));
});

test.each([
  ['ij', 'jk', 'ik'],
  ['ij', 'kj', 'ik'],
  ['ji', 'jk', 'ik'],
  ['ji', 'kj', 'ki'],
  ['bij', 'bjk', 'bki'],
  ['ijk', 'jkl', 'il'],
  ['jki', 'jkl', 'li'],
  ['bhqd', 'bhkd', 'bhqk'],
  ['ij', 'bjk', 'bik'],
  ['bji', 'jk', 'bik'],
])('moves no operand of %s,%s->%s', (aLabels, bLabels, yLabels) => {
  const shape = (labels: string) => [...labels].map((label) => 20 + label.charCodeAt(0));
  const { product } = pairLayout({ aLabels, bLabels, yLabels }, shape(aLabels), shape(bLabels));
  const [first, second] = product!.swapped ? [bLabels, aLabels] : [aLabels, bLabels];
  expect([product!.operands[0].labels, product!.operands[1].labels, product!.labels]).toEqual([first, second, yLabels]);
});

test('the operator of a step refuses labels that do not fit', () => {
  const [a, b] = [z(2, 3), z(3, 4)];
  const run = (aLabels: string, bLabels: string, yLabels: string) =>
    einsumPairOperator.run({ a, b }, { aLabels, bLabels, yLabels });
  expect(() => run('ijk', 'jk', 'ik')).toThrow("einsum: there are 3 labels 'ijk' for shape [2, 3]");
  expect(() => run('ij', 'jk', 'i')).toThrow("einsum: label 'k' of 'ij,jk->i' must stand once in two of its terms or more");
  expect(() => run('ii', 'jk', 'jk')).toThrow("label 'i'");
});
