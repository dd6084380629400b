import { assertClose, describeBackends, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { mixedProduct } from '../mixed-product/mixed-product';
import { dualBasis } from './dual-basis';
import { gram } from './gram';
import { invertMixedProduct } from './invert-mixed-product';
import { nearestMixedProduct } from './nearest-mixed-product';

/** The shifts of `size` nodes by `offsets`, zeros beyond the ends: `A_d[m, n]` is 1 where n - m = d. */
const shifts = (size: number, offsets: readonly number[]): tf.Tensor3D =>
  tf.tensor3d(
    offsets.map((d) => Array.from({ length: size }, (_, m) => Array.from({ length: size }, (_, n) => Number(n - m === d)))),
  );

describeBackends(
  'inversion of mixed products',
  (backend) => {
    test('finds the parameter of a product over a basis, and says that it is one', async () => {
      const random = new SeededRandom(1);
      const [basis, theta] = [tensorOf(random.normals([6, 2, 3])), tensorOf(random.normals([6, 4, 2]))];
      const found = await invertMixedProduct(basis, mixedProduct(basis, theta));
      await assertClose('theta', found.theta, theta, { relative: 1e-4 });
      expect(found).toMatchObject({ rank: 6, isIndependent: true, spans: true, isBasis: true, unique: true });
      expect(found.relativeResidual).toBeLessThan(1e-6);
      expect(found.singularValues).toHaveLength(6);
      expect(found.conditionNumber).toBeCloseTo(found.singularValues[0]! / found.singularValues[5]!, 6);
    });

    test('of what no basis spans it finds the nearest, and the residual is orthogonal to every member', async () => {
      const random = new SeededRandom(2);
      const [basis, phi] = [tensorOf(random.normals([3, 8])), tensorOf(random.normals([8, 2]))];
      const found = await invertMixedProduct(basis, phi);
      expect(found).toMatchObject({ rank: 3, isIndependent: true, spans: false, isBasis: false, unique: true });
      const residual = tf.sub(phi, mixedProduct(basis, found.theta));
      const overlaps = await tf.matMul(basis as tf.Tensor2D, residual as tf.Tensor2D).data();
      for (const overlap of overlaps) expect(Math.abs(overlap)).toBeLessThan(1e-5);
      expect(found.residualNorm).toBeCloseTo((await tf.norm(residual).data())[0]!, 4);
    });

    test('of a family that depends on itself it finds the shortest, and says that there are others', async () => {
      const basis = tf.tensor2d([
        [1, 0],
        [1, 0],
      ]);
      const found = await invertMixedProduct(basis, tf.tensor2d([[4], [0]]));
      expect(Array.from(await found.theta.data())).toEqual([2, 2]);
      expect(found).toMatchObject({ rank: 1, isIndependent: false, unique: false, isBasis: false, residualNorm: 0 });
      expect(found.conditionNumber).toBe(Number.POSITIVE_INFINITY);
    });

    test('over shifts the parameter is the mean of a diagonal', async () => {
      const random = new SeededRandom(3);
      const phi = random.normals([5, 5]);
      const offsets = [-4, -1, 0, 2, 3];
      const { theta, isIndependent } = await invertMixedProduct(shifts(5, offsets), tensorOf(phi));
      const means = offsets.map((d) => {
        const entries = Array.from(phi.data).filter((_, i) => (i % 5) - Math.floor(i / 5) === d);
        return entries.reduce((sum, x) => sum + x, 0) / entries.length;
      });
      await assertClose('theta', theta, means, { relative: 1e-6 });
      expect(isIndependent).toBe(true);
    });

    test('an ill-conditioned basis loses digits as its condition says, not as its square', async () => {
      const random = new SeededRandom(4);
      const basis = tf.tensor2d([
        [1, 1, 0],
        [1, 1 + 2 ** -12, 0],
        [0, 0, 1],
      ]);
      const theta = tensorOf(random.normals([3, 2]));
      const found = await invertMixedProduct(basis, mixedProduct(basis, theta));
      expect(found.conditionNumber).toBeGreaterThan(1e4);
      await assertClose('theta', found.theta, theta, { relative: 1e-2 });
    });

    test('the dual of a family picks its members out', async () => {
      const random = new SeededRandom(5);
      const basis = tensorOf(random.normals([3, 2, 4]));
      const dual = await dualBasis(basis);
      expect(dual.shape).toEqual([3, 2, 4]);
      const products = tf.matMul(tf.reshape(dual, [3, 8]), tf.reshape(basis, [3, 8]), false, true);
      await assertClose('dual times basis', products, await tf.eye(3).data(), { relative: 1e-5 });
    });

    test('the Gram matrix of shifts is diagonal, and has a gradient', async () => {
      const basis = shifts(4, [-2, 0, 1]);
      expect(Array.from(await gram(basis).data())).toEqual([2, 0, 0, 0, 4, 0, 0, 0, 3]);
      // d sum(G) / d a_k = 2 sum_l a_l.
      const gradient = tf.grad((x: tf.Tensor) => gram(x))(basis);
      await assertClose('gradient', gradient, await tf.tile(tf.mul(tf.sum(basis, 0, true), 2), [3, 1, 1]).data(), {
        relative: 1e-6,
      });
    });

    test('the nearest product of few terms has the error of the singular values left out', async () => {
      const random = new SeededRandom(6);
      const phi = tensorOf(random.normals([2, 3, 2, 4]));
      const whole = await nearestMixedProduct(phi, { leadingAxes: 2, terms: 6 });
      await assertClose('phi', mixedProduct(whole.basis, whole.theta), phi, { relative: 1e-5 });
      expect(whole.error).toBe(0);
      const part = await nearestMixedProduct(phi, { leadingAxes: 2, terms: 2 });
      expect(part.basis.shape).toEqual([2, 2, 3]);
      expect(part.theta.shape).toEqual([2, 2, 4]);
      const error = await tf.norm(tf.sub(phi, mixedProduct(part.basis, part.theta))).data();
      expect(error[0]).toBeCloseTo(part.error, 4);
      expect(part.error ** 2).toBeCloseTo(
        part.singularValues.slice(2).reduce((sum, s) => sum + s * s, 0),
        6,
      );
      await assertClose('gram', gram(part.basis), [1, 0, 0, 1], { relative: 1e-5 });
    });

    test('a tensor made of few terms is found again', async () => {
      const random = new SeededRandom(7);
      const phi = mixedProduct(tensorOf(random.normals([2, 3, 3])), tensorOf(random.normals([2, 5])));
      const { singularValues, error } = await nearestMixedProduct(phi, { leadingAxes: 2, terms: 2 });
      expect(singularValues[2]! / singularValues[0]!).toBeLessThan(1e-6);
      expect(error).toBeLessThan(1e-5);
    });

    test('refuses what does not fit, in words', async () => {
      const [basis, phi] = [tf.ones([2, 3, 4]), tf.ones([3, 4, 5])];
      await expect(invertMixedProduct(basis, tf.ones([3, 5]))).rejects.toThrow(
        'invertMixedProduct: phi must begin with the axes of a member of the basis\n  basis  [terms, 3, 4]  [2, 3, 4]\n  phi    [3, 4, ...]  [3, 5]',
      );
      await expect(invertMixedProduct(basis, phi, { strict: true })).rejects.toThrow(
        'invertMixedProduct: strict asks for a basis, but 2 members of rank 1 are none of a space of 12 dimensions',
      );
      await expect(dualBasis(basis, { strict: true })).rejects.toThrow('dualBasis: strict asks for a basis');
      await expect(invertMixedProduct(basis, phi, { rcond: -1 })).rejects.toThrow(
        'option rcond must be a finite number, 0 or above',
      );
      await expect(nearestMixedProduct(phi, { leadingAxes: 4, terms: 1 })).rejects.toThrow(
        'nearestMixedProduct: leadingAxes must be 0 to 3, the axes of phi, got 4',
      );
      await expect(nearestMixedProduct(phi, { leadingAxes: 1, terms: 4 })).rejects.toThrow('terms must be 1 to 3');
      expect(() => gram(tf.scalar(1))).toThrow('gram: basis must have an axis of terms');
      expect(backend.name).toBe('cpu');
    });
  },
  { only: ['cpu'] },
);
