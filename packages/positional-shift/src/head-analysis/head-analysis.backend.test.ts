import { assertClose, describeBackends, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { shift } from '../shift/shift';
import { shiftBasis2d } from '../shift-basis/shift-basis';
import { projectOntoShifts } from './project-onto-shifts';
import { averageRelativeMap1d, averageRelativeMap2d } from './relative-maps';
import { replaceHeadByShift } from './replace-head-by-shift';
import { scoreHead, scoreHeads } from './score-head';

// Orientation: patterns [target, source], rows adding up to 1; offset = target - source, so a head that looks at the token before has 1.

const N = 32;
type Pair = (target: number, source: number) => number;

/** Rows of exp(logit) where allowed, normalised. */
function softmaxPattern(logit: Pair, allowed: (t: number, s: number) => boolean = () => true, n = N): tf.Tensor2D {
  const rows = Array.from({ length: n }, (_, t) => {
    const row = Array.from({ length: n }, (_, s) => (allowed(t, s) ? Math.exp(logit(t, s)) : 0));
    const total = row.reduce((sum, x) => sum + x, 0);
    return row.map((x) => x / total);
  });
  return tf.tensor2d(rows);
}

const isCausal = (t: number, s: number) => s <= t;
const causalMask = () => tf.tensor2d(Array.from({ length: N }, (_, t) => Array.from({ length: N }, (_, s) => Number(s <= t))));

/** Looks `offset` back, at the first token where there is none. */
const exactShift = (offset: number, n = N) => softmaxPattern((t, s) => (s === Math.max(0, t - offset) ? 0 : -1e9), undefined, n);

const normals = new SeededRandom(5).normals([N, N], 2).data;

// Share, diagonal mean, agreement, effective offsets and R2, as in the table of heads that mislead.
const table: [
  name: string,
  make: () => tf.Tensor2D,
  causal: boolean,
  offset: number,
  numbers: (number | null)[],
  label: string,
][] = [
  ['exact shift', () => exactShift(1), false, 1, [0.969, 1, 1, 1.15, 0.969], 'shift'],
  ['soft shift', () => softmaxPattern((t, s) => (t - s === 1 ? 4 : 0)), false, 1, [0.618, 0.638, 1, 8.9, 0.999], 'local'],
  ['Gaussian window', () => softmaxPattern((t, s) => -((t - s - 2) ** 2) / 2), false, 2, [0.38, 0.406, 1, 4.3, 0.882], 'local'],
  ['uniform', () => softmaxPattern(() => 0), false, 0, [0.031, 0.031, 0.03, 52.7, 1], 'uniform'],
  ['uniform causal', () => softmaxPattern(() => 0, isCausal), true, 0, [0.127, 0.127, 0.03, 21.7, 0.146], 'uniform'],
  ['ALiBi', () => softmaxPattern((t, s) => -0.5 * (t - s), isCausal), true, 0, [0.428, 0.428, 1, 5.0, 0.941], 'local'],
];

describeBackends(
  'head analysis',
  () => {
    test.each(table)(
      '%s has the scores of the table, and is not taken for what it is not',
      async (_, make, causal, offset, numbers, label) => {
        const score = await scoreHead(make(), causal ? { mask: causalMask() } : {});
        expect(score.bestOffset).toBe(offset);
        const found = [score.profileShare, score.diagonalMean, score.argmaxAgreement, score.effectiveOffsets, score.toeplitzR2];
        for (const [i, expected] of numbers.entries()) {
          // As many digits as the table has.
          expect(Math.abs(found[i]! - expected!), `number ${i}: ${found[i]}`).toBeLessThanOrEqual(
            i === 3 ? 0.051 : i === 2 ? 0.0051 : 0.00051,
          );
        }
        expect(score.label).toBe(label);
      },
    );

    test('a sink has a corner of full attention, which does not count, and is called a sink', async () => {
      const sink = softmaxPattern((_, s) => (s === 0 ? Math.log(99 * N) : 0), isCausal);
      const options = { mask: causalMask() };
      const naive = await scoreHead(sink, { ...options, minCount: 1 });
      expect(naive.bestOffset === 31 || naive.bestOffset === 0).toBe(true);
      const corner = await scoreHead(
        softmaxPattern((t, s) => (s === 0 ? (t === 0 ? 0 : Math.log(99 * t)) : 0), isCausal),
        { ...options, minCount: 1 },
      );
      expect(corner.diagonalMean).toBeCloseTo(0.99, 2);
      expect(corner.bestOffset).toBe(31);
      const score = await scoreHead(sink, options);
      expect(score.label).toBe('sink');
      expect(score.diagonalMean).toBeLessThan(0.07);
      expect(score.argmaxAgreement).toBeLessThan(0.07);
      expect(Math.abs(score.effectiveOffsets - 32)).toBeLessThan(0.1);
      expect(Math.abs(score.toeplitzR2 - 0.07)).toBeLessThan(0.005);
    });

    test('content that looks like nothing has its best mean in a corner unless that does not count', async () => {
      const pattern = softmaxPattern((t, s) => normals[t * N + s]!);
      const naive = await scoreHead(pattern, { minCount: 1 });
      const score = await scoreHead(pattern);
      expect(Math.abs(naive.bestOffset)).toBeGreaterThan(16);
      expect(naive.diagonalMean).toBeGreaterThan(0.1);
      expect(score.diagonalMean).toBeLessThan(0.1);
      expect(score.label).toBe('content');
      expect(score.toeplitzR2).toBeLessThan(0.15);
      const near = await scoreHead(pattern, { maxOffset: 2 });
      expect(Math.abs(near.bestOffset)).toBeLessThanOrEqual(2);
    });

    test('every true shift is found, and looking at oneself is no shift', async () => {
      for (const offset of [1, 2, 5])
        expect(await scoreHead(exactShift(offset))).toMatchObject({ label: 'shift', bestOffset: offset, diagonalMean: 1 });
      const ahead = softmaxPattern((t, s) => (s === Math.min(N - 1, t + 3) ? 0 : -1e9));
      expect(await scoreHead(ahead)).toMatchObject({ label: 'shift', bestOffset: -3 });
      expect(await scoreHead(exactShift(0))).toMatchObject({ label: 'self', bestOffset: 0 });
      // The construction of the proofs: a quadratic score, whose error is about 2 exp(-alpha).
      const quadratic = await scoreHead(softmaxPattern((t, s) => -10 * (t - s - 1) ** 2));
      expect(quadratic.label).toBe('shift');
      expect(1 - quadratic.diagonalMean).toBeLessThan(1.2e-4);
    });

    test('over samples, what is the same for every input is told from what is not', async () => {
      const samples = Array.from({ length: 4 }, (_, i) => {
        const random = new SeededRandom(i).normals([N, N], 2).data;
        return tf.stack([exactShift(1), softmaxPattern((t, s) => random[t * N + s]!)]);
      });
      const [position, content] = await scoreHeads(tf.stack(samples) as tf.Tensor4D);
      expect(position).toMatchObject({ label: 'shift', bestOffset: 1 });
      expect(position!.inputIndependence).toBeCloseTo(1, 6);
      expect(content!.label).toBe('content');
      expect(content!.inputIndependence).toBeLessThan(0.4);
      expect(await scoreHeads(samples[0] as tf.Tensor3D)).toHaveLength(2);
    });

    test('the projection on shifts has the diagonal means, and leaves what is orthogonal to them', async () => {
      const pattern = tensorOf<tf.Tensor2D>(new SeededRandom(6).normals([5, 5]));
      const { weights, projection } = projectOntoShifts(pattern, [1, -4, 9]);
      const p = await pattern.data();
      const means = [1, -4].map((d) => {
        const own = Array.from({ length: 25 }, (_, i) => i).filter((i) => Math.floor(i / 5) - (i % 5) === d);
        return own.reduce((sum, i) => sum + p[i]!, 0) / own.length;
      });
      await assertClose('weights', weights, [...means, 0], { relative: 1e-6 });
      const expected = Array.from({ length: 25 }, (_, i) => {
        const d = Math.floor(i / 5) - (i % 5);
        return d === 1 ? means[0]! : d === -4 ? means[1]! : 0;
      });
      await assertClose('projection', projection, expected, { relative: 1e-6 });
      expect(() => projectOntoShifts(tf.ones([2, 3]), [0])).toThrow('projectOntoShifts: pattern must be [target source], square');
    });

    test('average maps: a head that looks up and left is a point there, and a class token is left out', async () => {
      const [height, width] = [3, 4];
      // Where nothing stands up left, a row of the transposed shift matrix is empty: those pairs count as 0.
      const looking = tf.transpose(tf.reshape(shiftBasis2d([height, width], [[1, 1]]).toDense(), [12, 12]));
      const uniform = tf.fill([12, 12], 1 / 12);
      const patterns = tf.stack([tf.stack([looking, uniform]), tf.stack([looking, uniform])]) as tf.Tensor4D;
      const point = new Float64Array(5 * 7);
      point[3 * 7 + 4] = 1;
      const map = averageRelativeMap2d(patterns, [height, width]);
      await assertClose('map', map, { shape: [2, 5, 7], data: [...point, ...new Array(35).fill(1 / 12)] }, { relative: 1e-6 });
      const withClass = tf.pad(
        patterns,
        [
          [0, 0],
          [0, 0],
          [1, 0],
          [1, 0],
        ],
        0.5,
      ) as tf.Tensor4D;
      await assertClose('skip', averageRelativeMap2d(withClass, [height, width], { skip: 1 }), await map.data(), {
        relative: 1e-6,
      });
      const line = averageRelativeMap1d(tf.reshape(exactShift(2, 6), [1, 1, 6, 6]));
      const expected = [0, 0, 0, 0, 0, 1 / 6, 1 / 5, 1, 0, 0, 0];
      await assertClose('line', line, { shape: [1, 11], data: expected }, { relative: 1e-6 });
      expect(() => averageRelativeMap2d(patterns, [3, 3])).toThrow(
        'a grid of 3 x 3 and 0 skipped make 9 tokens, patterns have 12',
      );
    });

    test('replaced by a shift, a shift head changes nothing and another head does', async () => {
      const random = new SeededRandom(7);
      const patterns = tf.stack([tf.stack([exactShift(1, 8), softmaxPattern(() => 0, undefined, 8)])]) as tf.Tensor4D;
      const values = tensorOf<tf.Tensor4D>(random.normals([1, 2, 8, 3]));
      const loss = (output: tf.Tensor) => tf.mean(tf.square(output));
      const same = await replaceHeadByShift(patterns, values, { head: 0, offset: 1, loss });
      expect(same.headChange).toBeLessThan(1e-6);
      expect(Math.abs(same.lossChange!)).toBeLessThan(1e-6);
      const other = await replaceHeadByShift(patterns, values, { head: 1, offset: 1, loss });
      expect(other.headChange).toBeGreaterThan(0.5);
      // The changed head is half of the output: its change over the size of all.
      const before = tf.matMul(patterns, values);
      const after = tf.concat(
        [
          tf.slice(before, [0, 0, 0, 0], [1, 1, 8, 3]),
          shift(tf.slice(values, [0, 1, 0, 0], [1, 1, 8, 3]), 1, { axis: 2, boundary: 'replicate' }),
        ],
        1,
      );
      const change = tf.div(tf.norm(tf.sub(after, before)), tf.norm(before));
      expect(other.outputChange).toBeCloseTo((await change.data())[0]!, 5);
      const ablated = await replaceHeadByShift(patterns, values, { head: 0, offset: null });
      expect(ablated.headChange).toBeGreaterThan(0.1);
      expect(ablated.lossBefore).toBeUndefined();
      await expect(replaceHeadByShift(patterns, values, { head: 2, offset: 1 })).rejects.toThrow('option head must be below 2');
    });

    test('names what it refuses', async () => {
      await expect(scoreHead(tf.ones([2, 3, 4]) as never)).rejects.toThrow(
        'scoreHead: pattern must have 2 axes [target source], got 3',
      );
      await expect(scoreHead(tf.ones([2, 2]), { mask: tf.ones([2, 3]) })).rejects.toThrow(
        'mask must have the shape of a pattern, [2, 2], got [2, 3]',
      );
      await expect(scoreHead(tf.ones([0, 2]))).rejects.toThrow('pattern must not be empty');
      await expect(scoreHeads(tf.ones([2, 2]) as never)).rejects.toThrow('scoreHeads: patterns must have 4 axes');
      await expect(scoreHead(tf.ones([2, 2]), { minCount: 0 })).rejects.toThrow(
        'option minCount must be an integer above 0, got 0',
      );
    });
  },
  { only: ['cpu', 'wasm'] },
);
