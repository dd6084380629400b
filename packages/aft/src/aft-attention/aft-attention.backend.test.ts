import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftSimple } from '../aft-simple/aft-simple';
import { aftAttention } from './aft-attention';

const [batch, time, dim, windowSize] = [2, 5, 3, 3];

interface Setting {
  readonly weight?: (t: number, s: number) => number;
  readonly causal?: boolean;
  readonly mask?: ArrayLike<number>;
  readonly targets?: number;
}

/** The maps in float64 from their definition. */
function reference(key: ArrayLike<number>, { weight = () => 0, causal, mask, targets = time }: Setting): Float64Array {
  const maps = new Float64Array(batch * dim * targets * time);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < dim; c++) {
      for (let t = 0; t < targets; t++) {
        const row = Array.from({ length: time }, (_, s) => {
          const exists = (!causal || s <= t) && mask?.[b * time + s] !== 0;
          return exists ? Math.exp(key[(b * time + s) * dim + c]! + weight(t, s)) : 0;
        });
        const sum = row.reduce((total, e) => total + e, 0);
        for (const [s, e] of row.entries()) maps[((b * dim + c) * targets + t) * time + s] = sum === 0 ? 0 : e / sum;
      }
    }
  }
  return maps;
}

describeBackends('aftAttention', (backend) => {
  const random = new SeededRandom(3);
  const keys = random.normals([batch, time, dim], 2);
  const table = random.normals([time + 1, time + 2], 2);
  const [u, v] = [random.normals([time, 2]), random.normals([time, 2])];
  const band = random.normals([time, 2 * windowSize - 1], 2);
  const mask = Float32Array.from([1, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
  const tableAt = (t: number, s: number) => table.data[t * (time + 2) + s]!;
  const productAt = (t: number, s: number) => u.data[2 * t]! * v.data[2 * s]! + u.data[2 * t + 1]! * v.data[2 * s + 1]!;
  const near = (weight: (t: number, s: number) => number) => (t: number, s: number) =>
    Math.abs(t - s) < windowSize ? weight(t, s) : 0;
  const bandAt = (t: number, s: number) => band.data[t * (2 * windowSize - 1) + s - t + windowSize - 1]!;
  const factors = () => ({ u: tensorOf<tf.Tensor2D>(u), v: tensorOf<tf.Tensor2D>(v) });
  const check = async (maps: tf.Tensor, expected: Float64Array, shape: number[]) =>
    assertClose('maps', maps, { shape, data: expected }, { relative: backend.tolerance.forward });
  const whole = [batch, dim, time, time];

  test('is that of every kind of bias, causal and masked or not', async () => {
    const key = tensorOf<tf.Tensor3D>(keys);
    const keyMask = tf.tensor2d(mask, [batch, time]);
    for (const causal of [false, true]) {
      for (const masked of [false, true]) {
        const options = { causal, ...(masked ? { keyMask } : {}) };
        const setting = { causal, ...(masked ? { mask } : {}) };
        const expected = (weight?: (t: number, s: number) => number) =>
          reference(keys.data, { ...setting, ...(weight ? { weight } : {}) });
        await check(aftAttention(key, null, options), expected(), whole);
        await check(aftAttention(key, tensorOf<tf.Tensor2D>(table), options), expected(tableAt), whole);
        await check(aftAttention(key, factors(), { ...options, windowSize }), expected(near(productAt)), whole);
        await check(aftAttention(key, { band: tensorOf<tf.Tensor2D>(band) }, options), expected(near(bandAt)), whole);
      }
    }
  });

  test('shows the channels that are asked for, and other targets than sources', async () => {
    const key = tensorOf<tf.Tensor3D>(keys);
    const all = reference(keys.data, { weight: tableAt, targets: 2 });
    const rows = 2 * time;
    const picked = Float64Array.from({ length: batch * 2 * rows }, (_, i) => {
      const [b, c] = [Math.floor(i / (2 * rows)), [2, 0][Math.floor(i / rows) % 2]!];
      return all[(b * dim + c) * rows + (i % rows)]!;
    });
    const maps = aftAttention(key, tensorOf<tf.Tensor2D>(table), { channels: [2, 0], targets: 2 });
    await check(maps, picked, [batch, 2, 2, time]);
    expect(aftAttention(key, null, { channels: [] }).shape).toEqual([batch, 0, time, time]);
    expect(aftAttention(tf.zeros([batch, 0, dim]), null).shape).toEqual([batch, dim, 0, 0]);
  });

  test('times the values is what the operator gives, and what is masked or outside the window may hold NaN', async () => {
    const poisoned = Float32Array.from(keys.data, (x, i) => (mask[Math.floor(i / dim)] ? x : Number.NaN));
    const key = tf.tensor3d(poisoned, [batch, time, dim]);
    const value = tensorOf<tf.Tensor3D>(random.normals([batch, time, dim]));
    const keyMask = tf.tensor2d(mask, [batch, time]);
    const far = Float32Array.from({ length: time * time }, (_, i) =>
      Math.abs(Math.floor(i / time) - (i % time)) < windowSize ? 0 : Number.NaN,
    );
    const maps = aftAttention(key, tf.tensor2d(far, [time, time]), { causal: true, keyMask, windowSize });
    const mixed = tf.squeeze(tf.matMul(maps, tf.expandDims(tf.transpose(value, [0, 2, 1]), 3)), [3]);
    const expected = aftSimple(value, key, value, { causal: true, keyMask, queryActivation: null });
    const bound = { relative: backend.tolerance.forward };
    await assertClose('context', tf.transpose(mixed, [0, 2, 1]), { shape: expected.shape, data: await expected.data() }, bound);
  });

  test('frees what it makes for itself', async () => {
    const [key, bias] = [tensorOf<tf.Tensor3D>(keys), tensorOf<tf.Tensor2D>(table)];
    await expectNoLeak(() => aftAttention(key, bias, { causal: true, windowSize }));
  });

  test('refuses what does not fit', () => {
    const key = tensorOf<tf.Tensor3D>(keys);
    expect(() => aftAttention(key, null, { channels: [0, 3] })).toThrow('aftAttention: channels must be from 0 to 2, got 3');
    expect(() => aftAttention(key, null, { targets: 4, causal: true })).toThrow(
      'aftAttention: causal needs as many targets as sources, got 4 and 5',
    );
    expect(() => aftAttention(key, tf.ones([4, 5]))).toThrow("positionBias [4, 5] covers 4 on axis 'target', the sequence has 5");
    expect(() => aftAttention(key, { band: tf.ones([5, 4]) })).toThrow('a band has 2 windowSize - 1 columns, got 4');
    expect(() => aftAttention(key, { band: tf.ones([5, 5]) }, { windowSize: 2 })).toThrow(
      'windowSize is 2, but the band of 5 columns belongs to 3',
    );
    expect(() => aftAttention(key, null, { heads: 2 } as never)).toThrow("aftAttention: unknown option 'heads'");
  });
});
