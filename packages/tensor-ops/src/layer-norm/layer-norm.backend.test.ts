import {
  assertAgrees,
  assertClose,
  byName,
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
import { rmsNorm } from '../rms-norm/rms-norm';
import { layerNorm } from './layer-norm';
import { normGradientReference, normReference } from './reference';

interface Given {
  readonly x: ShapedValues;
  readonly gain: ShapedValues;
  readonly bias?: ShapedValues | undefined;
  readonly epsilon?: number;
}

type Kind = 'layerNorm' | 'layerNorm with bias' | 'rmsNorm';

function given(kind: Kind, random: SeededRandom, shape: readonly number[]): Given {
  const dim = shape.slice(-1);
  const bias = kind === 'layerNorm with bias' ? random.normals(dim) : undefined;
  return { x: random.normals(shape), gain: random.normals(dim), bias };
}

function call(kind: Kind, { epsilon }: Given) {
  return (...[x, gain, bias]: tf.Tensor[]) =>
    kind === 'rmsNorm'
      ? rmsNorm(x!, gain as tf.Tensor1D, { epsilon })
      : layerNorm(x!, gain as tf.Tensor1D, bias as tf.Tensor1D | undefined, { epsilon });
}

function referenceCall(kind: Kind, { x, gain, bias, epsilon }: Given) {
  const centred = kind !== 'rmsNorm';
  return { x: x.data, gain: gain.data, bias: bias?.data, epsilon: epsilon ?? (centred ? 1e-5 : 1e-6), centred };
}

function differentiate(form: TestForm, kind: Kind, own: Given, cotangent: ShapedValues) {
  const tensors = [own.x, own.gain, own.bias].filter((values) => values !== undefined).map((values) => tensorOf(values));
  return form.run(() => tf.valueAndGrads(call(kind, own))(tensors, tensorOf(cotangent)));
}

async function agrees(
  form: TestForm,
  kind: Kind,
  own: Given,
  cotangent: ShapedValues,
  bounds: 'promised' | 'hostile' = 'promised',
) {
  const reference = referenceCall(kind, own);
  const expected = {
    output: { shape: own.x.shape, data: normReference(reference) },
    ...normGradientReference(reference, cotangent.data),
  };
  const { value, grads } = differentiate(form, kind, own, cotangent);
  const actual = { output: value, ...byName(['dX', 'dGain', 'dBias'], grads) };
  await assertAgrees(actual, expected, bounds === 'promised' ? { relative: form.tolerance } : { largest: hostileTolerance });
}

const shapes = [[1], [4], [1, 2], [3, 3], [2, 2, 5], [1, 7], [5, 8], [2, 1, 3, 13], [67, 31], [2, 515], [3, 1030]];

describe.each<Kind>(['layerNorm', 'layerNorm with bias', 'rmsNorm'])('%s', (kind) => {
  describeForms(kind, { fused: ['wasm', 'webgpu'] }, (form) => {
    const random = new SeededRandom(1);

    test.each(shapes)('agrees with the reference at [%s, %s, %s, %s]', async (...sizes) => {
      const shape = sizes.filter((size) => size !== undefined);
      // A row of one or two numbers is normalised to signs; rounding would be all that is left of its gradient.
      const own = { ...given(kind, random, shape), ...(shape.at(-1)! <= 2 ? { epsilon: 0.5 } : {}) };
      await agrees(form, kind, own, random.normals(shape));
    });

    const [rows, width] = form.isSlow ? [1024, 2000] : [8192, 20_000];
    test(`keeps its promise over ${rows} rows and in rows of ${width}`, async () => {
      for (const shape of [
        [rows, 3],
        [2, width],
      ]) {
        const own = given(kind, random, shape);
        await agrees(form, kind, own, random.uniforms(shape, 0, 1));
      }
    });

    test('keeps its digits far from 0, and survives extreme numbers', async () => {
      const shape = [4, 33];
      const own = given(kind, random, shape);
      const shift = (by: number, scale: number) => ({
        ...own,
        x: { shape, data: Array.from(own.x.data, (value) => Math.fround(by + scale * value)) },
      });
      for (const changed of [shift(1000, 1), shift(-1e4, 3), shift(0, 1e4), shift(0, 1e-6), shift(5, 0)]) {
        await agrees(form, kind, changed, random.normals(shape), 'hostile');
      }
    });

    test('gives empty results', () => {
      for (const shape of [
        [0, 3],
        [2, 0],
        [0, 0, 4],
      ]) {
        const { value, grads } = differentiate(form, kind, given(kind, random, shape), { shape, data: [] });
        expect(value.shape).toEqual(shape);
        expect(grads.slice(0, 2).map((gradient) => gradient.shape)).toEqual([shape, shape.slice(-1)]);
      }
    });

    test('leaks nothing', async () => {
      const own = given(kind, random, [3, 5]);
      await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate(form, kind, own, own.x) as never)));
    });
  });

  test('the reference gradient agrees with differences', async () => {
    const random = new SeededRandom(2);
    const own = given(kind, random, [3, 4]);
    const cotangent = random.normals([3, 4]);
    const reference = referenceCall(kind, own);
    const inputs: Record<string, ArrayLike<number>> = { x: own.x.data, gain: own.gain.data };
    if (own.bias) inputs.bias = own.bias.data;
    const expected = numericalGradient((changed) => normReference({ ...reference, ...changed }), inputs, {
      cotangent: cotangent.data,
    });
    const actual = normGradientReference(reference, cotangent.data);
    await assertClose('dX', actual.dX, expected.x!, { relative: 1e-9 });
    await assertClose('dGain', actual.dGain, expected.gain!, { relative: 1e-9 });
    if (expected.bias) await assertClose('dBias', actual.dBias, expected.bias, { relative: 1e-9 });
  });
});
