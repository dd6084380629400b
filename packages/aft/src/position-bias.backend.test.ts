import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type PositionBias, withPositionBias } from './position-bias';

const sizes = { target: 2, source: 3, windowSize: 2 };
const forms = {
  dense: (table: tf.Tensor2D) => tf.clone(table),
  factored: (u: tf.Tensor2D, v: tf.Tensor2D) => tf.concat([u, v], 0) as tf.Tensor2D,
  banded: (band: tf.Tensor2D) => tf.clone(band),
};
const sliced = (bias: PositionBias) => withPositionBias('aftTest', bias, sizes, forms);

describeBackends('a position bias', () => {
  test('larger than the sequence is sliced, and its gradient is 0 outside', async () => {
    const table = tensorOf<tf.Tensor2D>(new SeededRandom(1).normals([4, 5]));
    const values = await table.data();
    const inside = (i: number) => Math.floor(i / 5) < 2 && i % 5 < 3;
    await assertClose('slice', sliced(table), { shape: [2, 3], data: values.filter((_, i) => inside(i)) }, { relative: 0 });
    const cotangent = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const gradient = tf.grad((t: tf.Tensor) =>
      withPositionBias('aftTest', t as tf.Tensor2D, sizes, { ...forms, dense: (part) => scaled(part, 2) }),
    )(table, cotangent);
    const expected = [2, 4, 6, 0, 0, 8, 10, 12, 0, 0, ...new Array(10).fill(0)];
    await assertClose('gradient', gradient, { shape: [4, 5], data: expected }, { relative: 1e-6 });
  });

  test('in factors and as a band is sliced along time', async () => {
    const [u, v] = [tf.ones([3, 4]) as tf.Tensor2D, tf.ones([9, 4]) as tf.Tensor2D];
    expect(sliced({ u, v }).shape).toEqual([5, 4]);
    expect(sliced({ band: tf.ones([7, 3]) }).shape).toEqual([2, 3]);
  });

  test('frees its slices', async () => {
    const [table, small] = [tf.ones([4, 5]) as tf.Tensor2D, tf.ones([1, 1]) as tf.Tensor2D];
    await expectNoLeak(() => sliced(table));
    await expectNoLeak(() => {
      expect(() => withPositionBias('aftTest', table, sizes, { ...forms, dense: () => sliced(small) })).toThrow('covers');
    });
  });

  test('that does not fit is refused in words', () => {
    const ones = (...shape: [number, number]) => tf.ones(shape) as tf.Tensor2D;
    const refusals: [unknown, string, string][] = [
      [
        ones(2, 2),
        'ShapeError',
        "aftTest: positionBias [2, 2] covers 2 on axis 'source', the sequence has 3; give a larger one, or a shorter sequence",
      ],
      [ones(1, 9), 'ShapeError', "positionBias [1, 9] covers 1 on axis 'target', the sequence has 2"],
      [tf.ones([3]), 'ShapeError', 'aftTest: positionBias must have 2 axes [target source], got 1'],
      [tf.ones([4, 4], 'int32'), 'DTypeError', 'aftTest: positionBias must be float32, got int32'],
      [{ u: ones(2, 4), v: ones(3, 5) }, 'ShapeError', "aftTest: axis 'rank' is 4 in u but 5 in v"],
      [{ u: ones(1, 4), v: ones(3, 4) }, 'ShapeError', "aftTest: u [1, 4] covers 1 on axis 'target', the sequence has 2"],
      [{ u: ones(2, 4), v: ones(2, 4) }, 'ShapeError', "aftTest: v [2, 4] covers 2 on axis 'source', the sequence has 3"],
      [
        { u: ones(2, 4) },
        'OptionError',
        'aftTest: positionBias must be a Tensor [target, source] or its factors {u, v} or {band}, got {u}',
      ],
      [{ u: 1, v: ones(3, 4) }, 'DTypeError', 'aftTest: u must be a Tensor, got 1'],
      [{ band: ones(2, 5) }, 'ShapeError', 'aftTest: axis 1 of band must be 3, got 5'],
      [
        undefined,
        'DTypeError',
        'aftTest: positionBias must be a Tensor [target, source] or its factors {u, v} or {band}, got undefined',
      ],
    ];
    for (const [bias, name, message] of refusals) {
      expect(() => sliced(bias as PositionBias)).toThrow(
        expect.objectContaining({ name, message: expect.stringContaining(message) }),
      );
    }
    const { banded: _, ...withoutBand } = forms;
    expect(() => withPositionBias('aftFull', { band: ones(2, 3) }, sizes, withoutBand)).toThrow(
      'got {band}; only aftLocal takes a band',
    );
  });
});

/** A product whose gradient needs none of tfjs's. */
function scaled(x: tf.Tensor2D, factor: number): tf.Tensor2D {
  return tf.customGrad((input) => ({
    value: tf.mul(input as tf.Tensor, factor),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, factor),
  }))(x) as tf.Tensor2D;
}
