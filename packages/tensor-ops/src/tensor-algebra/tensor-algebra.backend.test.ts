import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { contract } from './contract';
import { cpToTensor } from './cp-to-tensor';
import { einsum } from './einsum';
import { khatriRao } from './khatri-rao';
import { kronecker } from './kronecker';
import { dematricize, matricize } from './matricize';
import { modeProduct } from './mode-product';
import { outer } from './outer';
import { agreesWithEquation } from './test-einsum';
import { tuckerToTensor } from './tucker-to-tensor';
import { fold, unfold } from './unfold';

type Call = (...operands: tf.Tensor[]) => tf.Tensor;

/** What each function computes, as an equation; the last entry is the shape of the result where it is not the equation's. */
const functions: [name: string, call: Call, equation: string, shapes: number[][], result?: number[]][] = [
  ['outer', (a, b) => outer(a!, b!), 'ij,k->ijk', [[2, 3], [4]]],
  ['outer of scalars', (a, b) => outer(a!, b!), ',->', [[], []]],
  [
    'contract',
    (a, b) => contract(a!, [-1, 0], b!, [1, 2]),
    'ijk,lki->jl',
    [
      [2, 3, 4],
      [5, 4, 2],
    ],
  ],
  ['contract over nothing', (a, b) => contract(a!, [], b!, []), 'i,j->ij', [[2], [3]]],
  ['unfold', (t) => unfold(t!, 1), 'ijk->jik', [[2, 3, 4]], [3, 8]],
  ['unfold, last mode', (t) => unfold(t!, -1), 'ijk->kij', [[2, 3, 4]], [4, 6]],
  ['unfold of a vector', (t) => unfold(t!, 0), 'i->i', [[3]], [3, 1]],
  ['matricize', (t) => matricize(t!, [2, 0], [-1, 1]), 'ijkl->kilj', [[2, 3, 4, 5]], [8, 15]],
  ['matricize without rows', (t) => matricize(t!, [], [1, 0]), 'ij->ji', [[2, 3]], [1, 6]],
  [
    'modeProduct',
    (t, m) => modeProduct(t!, m!, 1),
    'ijk,lj->ilk',
    [
      [2, 3, 4],
      [5, 3],
    ],
  ],
  [
    'modeProduct, last mode',
    (t, m) => modeProduct(t!, m!, -1),
    'ijk,lk->ijl',
    [
      [2, 3, 4],
      [5, 4],
    ],
  ],
  [
    'kronecker',
    (a, b) => kronecker(a!, b!),
    'ij,kl->ikjl',
    [
      [2, 3],
      [4, 2],
    ],
    [8, 6],
  ],
  ['kronecker of vectors', (a, b) => kronecker(a!, b!), 'i,j->ij', [[2], [3]], [6]],
  [
    'khatriRao',
    (a, b) => khatriRao(a!, b!),
    'ir,jr->ijr',
    [
      [2, 3],
      [4, 3],
    ],
    [8, 3],
  ],
  [
    'cpToTensor',
    (...factors) => cpToTensor({ factors }),
    'ir,jr,kr->ijk',
    [
      [2, 5],
      [3, 5],
      [4, 5],
    ],
  ],
  ['cpToTensor of one factor', (...factors) => cpToTensor({ factors }), 'ir->i', [[2, 5]]],
  ['cpToTensor, weighted', (w, ...factors) => cpToTensor({ weights: w, factors }), 'r,ir,jr->ij', [[5], [2, 5], [3, 5]]],
  [
    'tuckerToTensor',
    (core, ...factors) => tuckerToTensor({ core: core!, factors }),
    'abc,ia,jb,kc->ijk',
    [
      [2, 3, 2],
      [4, 2],
      [3, 3],
      [5, 2],
    ],
  ],
];

const shapeAndMode = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
  .chain((shape) => fc.record({ shape: fc.constant(shape), mode: fc.integer({ min: -shape.length, max: shape.length - 1 }) }));

describeBackends('tensor algebra', ({ tolerance, name }) => {
  const numRuns = name === 'webgpu' ? 8 : 25;

  test.each(functions)('%s agrees with its equation, gradients included', async (_, call, equation, shapes, result) => {
    await agreesWithEquation(call, equation, shapes, tolerance, result);
  });

  test('the gradients of fold and dematricize put every element back', async () => {
    const [dy, matrix] = [new SeededRandom(1).normals([2, 3, 4]), tf.zeros([3, 8])];
    const folded = tf.grad((m: tf.Tensor) => fold(m, 1, [2, 3, 4]))(matrix, tensorOf(dy));
    expect(await folded.data()).toEqual(await unfold(tensorOf(dy), 1).data());
    const dematricized = tf.grad((m: tf.Tensor) => dematricize(m, [1], [2, 0], [2, 3, 4]))(matrix, tensorOf(dy));
    expect(await dematricized.data()).toEqual(await matricize(tensorOf(dy), [1], [2, 0]).data());
  });

  test('fold undoes unfold, and dematricize undoes matricize, to the bit', async () => {
    const property = fc.asyncProperty(shapeAndMode, async ({ shape, mode }) => {
      const t = tensorOf(new SeededRandom(shape.length).normals(shape));
      const folded = fold(unfold(t, mode), mode, shape);
      expect(folded.shape).toEqual(shape);
      expect(await folded.data()).toEqual(await t.data());
      const axes = shape.map((_, axis) => (axis * 3 + shape.length) % shape.length);
      if (new Set(axes).size < axes.length) return;
      const [rows, columns] = [axes.slice(0, axes.length >> 1), axes.slice(axes.length >> 1)];
      expect(await dematricize(matricize(t, rows, columns), rows, columns, shape).data()).toEqual(await t.data());
    });
    await fc.assert(property, { numRuns, seed: 2 });
  });

  test('a mode product is a product with the unfolding', async () => {
    const property = fc.asyncProperty(shapeAndMode, async ({ shape, mode }) => {
      const random = new SeededRandom(shape.length);
      const size = shape.at(mode)!;
      const [t, matrix] = [tensorOf(random.normals(shape)), tensorOf(random.normals([3, size]))];
      const expected = einsum('ij,jk->ik', matrix, unfold(t, mode));
      await assertClose('unfolded', unfold(modeProduct(t, matrix, mode), mode), expected, { relative: tolerance.forward });
    });
    await fc.assert(property, { numRuns, seed: 3 });
  });

  test('(A x B)(C x D) = AC x BD for Kronecker products', async () => {
    const random = new SeededRandom(4);
    const [a, b, c, d] = (
      [
        [2, 3],
        [4, 5],
        [3, 2],
        [5, 3],
      ] as const
    ).map((shape) => tensorOf(random.normals(shape)));
    const product = (x: tf.Tensor, y: tf.Tensor) => einsum('ij,jk->ik', x, y);
    const actual = product(kronecker(a!, b!), kronecker(c!, d!));
    const expected = await kronecker(product(a!, c!), product(b!, d!)).data();
    await assertClose('product', actual, { shape: [8, 6], data: expected }, { relative: 2 * tolerance.forward });
  });

  test('empty axes give empty results', () => {
    expect(unfold(tf.zeros([2, 0, 3]), 1).shape).toEqual([0, 6]);
    expect(kronecker(tf.zeros([0, 2]), tf.zeros([3, 3])).shape).toEqual([0, 6]);
    expect(modeProduct(tf.zeros([2, 3]), tf.zeros([0, 3]), 1).shape).toEqual([2, 0]);
    expect(Array.from(cpToTensor({ factors: [tf.zeros([2, 0]), tf.zeros([1, 0])] }).dataSync())).toEqual([0, 0]);
  });

  test('leaks nothing', async () => {
    const [a, b] = [tf.ones([3, 4]), tf.ones([5, 4])];
    await expectNoLeak(() => [kronecker(a, b), khatriRao(a, b), unfold(a, 1), cpToTensor({ factors: [a, b] })]);
    await expectNoLeak(() => tf.grads((x: tf.Tensor, y: tf.Tensor) => khatriRao(x, y))([a, b]));
  });
});
