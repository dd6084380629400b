import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { countParams, flattenParams, nestParams, rebuildParams } from './params';

describeBackends('params', () => {
  test('flatten by name, numbers by value, whatever the order of the object', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((size) => tf.ones([size])) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const one = { z: a, blocks: { 10: { w: b }, 9: { w: c } }, A: d };
    const other = { A: d, blocks: { 9: { w: c }, 10: { w: b } }, z: a };
    const paths = ['A', 'blocks.9.w', 'blocks.10.w', 'z'];
    expect(flattenParams(one).map(([path]) => path)).toEqual(paths);
    expect(flattenParams(other)).toEqual(flattenParams(one));
    expect(flattenParams(nestParams(flattenParams(one)))).toEqual(flattenParams(one));
    expect(countParams(one)).toBe(10);
  });

  test('rebuild puts tensors where they belong', () => {
    const template = { z: tf.ones([1]), a: { y: tf.ones([2]), b: tf.ones([3]) } };
    const doubled = rebuildParams(
      template,
      flattenParams(template).map(([, tensor]) => tf.mul(tensor, 2)),
    );
    expect([doubled.z.size, doubled.a.y.size, doubled.a.b.size]).toEqual([1, 2, 3]);
  });

  test('names of prototypes are names', () => {
    const tensor = tf.ones([1]);
    const nested = nestParams([['__proto__.constructor', tensor]]);
    expect(flattenParams(nested)).toEqual([['__proto__.constructor', tensor]]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});
