import {
  assertClose,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  numericalGradient,
  SeededRandom,
  type ShapedValues,
  type TestForm,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { crossEntropyGradientReference, crossEntropyReference, oneHotReference } from './reference';
import { softmaxCrossEntropy } from './softmax-cross-entropy';

function differentiate(form: TestForm, logits: ShapedValues, labels: tf.Tensor, dLoss = 1) {
  return form.run(() => tf.valueAndGrad((x: tf.Tensor) => softmaxCrossEntropy(x, labels))(tensorOf(logits), tf.scalar(dLoss)));
}

const shapes = [[1], [5], [1, 1], [3, 4], [2, 3, 7], [2, 1, 2, 2, 33], [5, 515], [2100, 3]];

describeForms('softmaxCrossEntropy', { fused: ['wasm', 'webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  async function agrees(logits: ShapedValues, labels: tf.Tensor, targets: ArrayLike<number>, hostile = false): Promise<void> {
    const classes = logits.shape.at(-1)!;
    const { value, grad } = differentiate(form, logits, labels, 3);
    const bound = (which: 'forward' | 'gradient') =>
      hostile ? { largest: hostileTolerance[which] } : { relative: form.tolerance[which] };
    const loss = crossEntropyReference(logits.data, targets, classes);
    await assertClose('loss', value, { shape: [], data: [loss] }, bound('forward'));
    const gradient = crossEntropyGradientReference(logits.data, targets, classes, 3);
    await assertClose('gradient', grad, { shape: logits.shape, data: gradient }, bound('gradient'));
  }

  function randomLabels(shape: readonly number[]): { labels: tf.Tensor; targets: Float64Array } {
    const classes = shape.at(-1)!;
    const rows = shape.slice(0, -1);
    const drawn = Array.from({ length: rows.reduce((product, size) => product * size, 1) }, () => random.integer(classes));
    return { labels: tf.tensor(drawn, rows, 'int32'), targets: oneHotReference(drawn, classes) };
  }

  test.each(shapes)('agrees with the reference at [%s, %s, %s, %s, %s]', async (...sizes) => {
    const shape = sizes.filter((size) => size !== undefined);
    const logits = random.normals(shape, 2);
    const { labels, targets } = randomLabels(shape);
    await agrees(logits, labels, targets);
    await agrees(logits, tensorOf({ shape, data: targets }), targets);
    const smoothed = random.uniforms(shape);
    await agrees(logits, tensorOf(smoothed), smoothed.data);
  });

  test('survives extreme numbers', async () => {
    const shape = [6, 9];
    const { labels, targets } = randomLabels(shape);
    const offset = random.normals(shape).data.map((x) => Math.fround(1e4 + x));
    for (const data of [random.uniforms(shape, -1e4, 1e4).data, offset, offset.map((x) => -x)]) {
      await agrees({ shape, data }, labels, targets, true);
      await agrees({ shape, data }, tensorOf({ shape, data: targets }), targets, true);
    }
  });

  test('gives 0 for no rows, and leaks nothing', async () => {
    for (const labels of [tf.zeros([0], 'int32'), tf.zeros([0, 4])]) {
      const { value, grad } = differentiate(form, { shape: [0, 4], data: [] }, labels);
      expect([value.dataSync()[0], grad.shape]).toEqual([0, [0, 4]]);
    }
    const logits = random.normals([3, 4]);
    for (const labels of [tf.tensor1d([0, 3, 1], 'int32'), tf.ones([3, 4])]) {
      await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate(form, logits, labels) as never)));
    }
  });

  test('a label that is no class is refused where it is seen, else its row counts nothing', async () => {
    const logits = random.normals([3, 4]);
    for (const strange of [4, -1, -(2 ** 31)]) {
      const labels = tf.tensor1d([1, strange, 2], 'int32');
      if (form.name === 'wasm' && form.form === 'fused') {
        const given = tensorOf(logits);
        await expectNoLeak(() => {
          expect(() => form.run(() => softmaxCrossEntropy(given, labels))).toThrow(
            `softmaxCrossEntropy: labels must be from 0 to 3, got ${strange} at row 1`,
          );
        });
        continue;
      }
      const targets = oneHotReference([1, 0, 2], 4);
      targets.fill(0, 4, 8);
      await agrees(logits, labels, targets);
    }
  });
});

describe('the reference of softmaxCrossEntropy', () => {
  test('has the gradient that differences have', async () => {
    const random = new SeededRandom(2);
    const [logits, targets] = [random.normals([3, 4]).data, random.uniforms([3, 4]).data];
    const expected = numericalGradient(({ x }) => crossEntropyReference(x, targets, 4), { x: logits });
    await assertClose('gradient', crossEntropyGradientReference(logits, targets, 4), expected.x!, { relative: 1e-9 });
  });
});
