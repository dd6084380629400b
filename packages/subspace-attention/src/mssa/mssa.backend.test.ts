import { implementationOf } from '@mixfold/tensor-ops';
import {
  assertClose,
  countDispatches,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  runConformance,
  SeededRandom,
  type ShapedValues,
  tensorOf,
} from '@mixfold/testing';
import '@tensorflow/tfjs-layers'; // registers the gradients of what stands between streaming calls
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type MssaOptions, mssa, mssaOperator } from './mssa';
import { mssaState } from './state';
import { mssaPrefill, mssaStep } from './streaming';
import {
  agreesMssa,
  differentiateMssa,
  fusedBackends,
  type MssaArguments,
  type MssaSizes,
  type PlainOptions,
  randomMssa,
  runMssa,
} from './test-calls';

/** Odd sizes around the tiles of the kernels: panels of 4 and 8, stripes of 32 and 64. */
const sizes: MssaSizes[] = [
  { tokens: 1, dim: 1, headDim: 1 },
  { batch: 2, tokens: 2, dim: 3, headDim: 2 },
  { batch: 2, tokens: 7, dim: 5, heads: 3, headDim: 3 },
  { tokens: 9, dim: 16, heads: 2, headDim: 8 },
  { tokens: 33, dim: 9, heads: 2, headDim: 5 },
  { batch: 2, tokens: 65, dim: 34, heads: 2, headDim: 17 },
  { tokens: 129, dim: 40, heads: 1, headDim: 32 },
  { tokens: 197, dim: 7, heads: 2, headDim: 4 },
];

const spoilt = ({ shape, data }: ShapedValues, isSpoilt: (i: number) => boolean) => ({
  shape,
  data: Array.from(data, (x, i) => (isSpoilt(i) ? Number.NaN : x)),
});

describeForms('mssa', { fused: fusedBackends }, (form) => {
  const isWebGpu = form.name === 'webgpu';
  const shapes = form.isSlow ? [] : isWebGpu ? sizes.slice(0, 5) : sizes;

  // Composed on WebGPU every set of options and sizes is dozens of programs of tfjs.
  const isChosen = ({ causal }: Record<string, unknown>) => !form.isSlow || causal === true;
  const files = form.isSlow
    ? ['mssaUntied', 'mssaKeyMask']
    : ['mssaTied', 'mssaUntied', 'mssaScale', 'mssaKeyMask', 'mssaHostile', 'mssaHostile10'];
  for (const file of files) {
    runConformance(
      form,
      file,
      ({ tokens, subspaces, output, keyMask }, attrs) => {
        const options = { ...(attrs as MssaOptions), output: output as tf.Tensor3D, keyMask };
        return mssa(tokens as tf.Tensor3D, subspaces as tf.Tensor3D, options);
      },
      isChosen,
    );
  }

  test.each(shapes)('agrees with the reference at %j', async (shape) => {
    for (const causal of [false, true]) {
      const untied = shape.tokens % 2 === 1;
      const { cotangent, ...given } = randomMssa(new SeededRandom(shape.tokens), shape, { untied });
      await agreesMssa(form, given, cotangent, { causal });
    }
  });

  /** All at once: masks, an untied output, normalised queries and keys, and a scale. */
  const together: { name: string; options: PlainOptions; untied?: boolean; masked?: boolean; normalised?: boolean }[] = [
    { name: 'mask, causal, no self, normalised', options: { causal: true, maskSelf: true }, masked: true, normalised: true },
    { name: 'mask, no self, untied', options: { maskSelf: true }, masked: true, untied: true },
    { name: 'scale, causal, no self', options: { scale: 0.4, causal: true, maskSelf: true } },
    { name: 'a negative scale, mask', options: { scale: -0.3 }, masked: true },
    { name: 'normalised, untied, scale', options: { scale: 2 }, normalised: true, untied: true },
  ];
  const drawn = ({ untied = false, masked = false, normalised = false }: (typeof together)[number]) => {
    const random = new SeededRandom(8);
    const given = randomMssa(random, { batch: 3, tokens: 13, dim: 6, heads: 2, headDim: 5 }, { untied });
    const keyMask = masked ? random.mask([3, 13], 0.6) : undefined;
    // One batch entry begins with nothing to attend to, one has nothing at all.
    if (keyMask)
      for (const [begin, end] of [
        [0, 4],
        [26, 39],
      ] as const)
        (keyMask.data as Float64Array).fill(0, begin, end);
    return { ...given, keyMask, queryKeyGain: normalised ? random.normals([5], 1) : undefined };
  };

  test.each(form.isSlow ? together.slice(0, 1) : together)('options work together: $name', async (chosen) => {
    const { cotangent, ...given } = drawn(chosen);
    await agreesMssa(form, given, cotangent, chosen.options);
  });

  if (form.form === 'composed') {
    const phis: NonNullable<PlainOptions['phi']>[] = ['relu', { threshold: 0.3 }, { threshold: 0.3, straightThrough: true }];
    test.each(form.isSlow ? [] : phis)('phi %j works with every option', async (phi) => {
      for (const chosen of together) {
        const { cotangent, ...given } = drawn(chosen);
        await agreesMssa(form, given, cotangent, { ...chosen.options, phi });
      }
    });
  }

  if (form.isSlow) return;

  for (const causal of [false, true]) {
    test(`a token that is masked may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const keyMask = random.mask([2, 9], 0.5);
      const { cotangent, tokens, ...others } = randomMssa(random, { batch: 2, tokens: 9, dim: 4, heads: 2, headDim: 3 });
      const isMasked = (row: number) => keyMask.data[row] === 0;
      const poisoned = spoilt(tokens, (i) => isMasked(Math.floor(i / 4)));
      const [clean, lost] = [tokens, poisoned].map((x) => runMssa(form, { ...others, tokens: x, keyMask }, { causal }));
      const [expected, actual] = await Promise.all([clean!.data(), lost!.data()]);
      for (const [i, x] of expected.entries()) if (!isMasked(Math.floor(i / 4))) expect(actual[i]).toBeCloseTo(x, 5);
    });

    test(`survives tokens to +-100, causal ${causal}`, async () => {
      const random = new SeededRandom(5);
      const { cotangent, ...given } = randomMssa(random, { tokens: 40, dim: 8, heads: 2, headDim: 4 });
      const tokens = random.uniforms([1, 40, 8], -100, 100);
      await agreesMssa(form, { ...given, tokens }, cotangent, { causal }, hostileTolerance);
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      const { cotangent, ...drawn } = randomMssa(random, { batch: 2, tokens: 5, dim: 4, headDim: 3 }, { untied: true });
      const given: MssaArguments = { ...drawn, keyMask: random.mask([2, 5]), queryKeyGain: random.normals([3]) };
      await expectNoLeak(() => tf.tidy(() => tf.dispose(runMssa(form, given, { causal }))));
      await expectNoLeak(() => tf.tidy(() => tf.dispose(Object.values(differentiateMssa(form, given, cotangent, { causal })))));
    });
  }

  test('an empty batch, sequence, width or head gives an empty result and empty gradients', async () => {
    for (const [batch, tokens, dim, heads, headDim] of [
      [0, 3, 3, 2, 2],
      [2, 0, 4, 2, 2],
      [2, 3, 0, 2, 2],
      [2, 3, 3, 0, 2],
      [2, 3, 3, 2, 0],
    ] as const) {
      const { cotangent, ...given } = randomMssa(new SeededRandom(1), { batch, tokens, dim, heads, headDim }, { untied: true });
      const { denoised, dTokens, dOutput } = differentiateMssa(form, given, cotangent);
      expect(denoised.shape).toEqual([batch, tokens, dim]);
      expect(Array.from(await denoised.data()).every((x) => x === 0)).toBe(true);
      expect([dTokens!.shape, dOutput!.shape]).toEqual([
        [batch, tokens, dim],
        [heads, headDim, dim],
      ]);
    }
  });

  if (isWebGpu) {
    test('takes a projection and two dispatches forward, four backward, one more for an untied output, of at most 8 buffers', async () => {
      const random = new SeededRandom(1);
      const shape = { tokens: 35, dim: 6, heads: 2, headDim: 5 };
      const { cotangent, ...tied } = randomMssa(random, shape);
      const untied = { ...randomMssa(random, shape, { untied: true }), keyMask: random.mask([1, 35]) };
      const whole = { ...untied, queryKeyGain: random.normals([5]) };
      const options = { causal: true, maskSelf: true };
      const count = async (fn: () => unknown) => (await countDispatches(() => tf.tidy(() => void fn()))).dispatches;
      expect(await count(() => runMssa(form, tied))).toBe(1 + 2);
      expect(await count(() => differentiateMssa(form, tied, cotangent))).toBe(3 + 4);
      expect(await count(() => differentiateMssa(form, untied, cotangent, options))).toBe(3 + 5);
      // The gradient of a gain is summed over all tiles.
      const work = await countDispatches(() => differentiateMssa(form, whole, cotangent, options) as Record<string, tf.Tensor>);
      expect(work.dispatches).toBe(3 + 6);
      expect(work.mostBuffers).toBe(8);
      const again = differentiateMssa(form, whole, cotangent, options) as Record<string, tf.Tensor>;
      for (const [name, tensor] of Object.entries(work.result)) expect(await again[name]!.data()).toEqual(await tensor.data());
    });

    test('shares out the channels of wide heads', async () => {
      const random = new SeededRandom(2);
      const { cotangent, ...drawn } = randomMssa(random, { tokens: 33, dim: 7, heads: 2, headDim: 67 }, { spread: 0.4 });
      const given = {
        ...drawn,
        keyMask: random.mask([1, 33], 0.7),
        queryKeyGain: random.normals([67], 0.6),
      };
      await agreesMssa(form, given, cotangent, { maskSelf: true });
    });

    test('a causal token does not see what comes later, to the bit', async () => {
      const { cotangent, tokens, ...maps } = randomMssa(new SeededRandom(3), { tokens: 39, dim: 4, heads: 2, headDim: 5 });
      const change = ({ shape, data }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (i >= 20 * 4 ? x + 1e4 : x)),
      });
      const [before, after] = [tokens, change(tokens)].map((x) => runMssa(form, { tokens: x, ...maps }, { causal: true }));
      expect((await after!.data()).slice(0, 20 * 4)).toEqual((await before!.data()).slice(0, 20 * 4));
    });

    test('prefill and step by step give the whole call and its gradient, through the state', async () => {
      const random = new SeededRandom(12);
      const shape = { batch: 2, tokens: 41, dim: 6, heads: 2, headDim: 5 };
      const { cotangent, ...given } = randomMssa(random, shape, { untied: true });
      const keyMask = random.mask([2, 41], 0.7);
      const inputs = [given.tokens, given.subspaces, given.output!].map((x) => tensorOf(x));
      const whole = (x: tf.Tensor, u: tf.Tensor, output?: tf.Tensor) =>
        mssa(x as tf.Tensor3D, u as tf.Tensor3D, { output: output as tf.Tensor3D, keyMask: tensorOf(keyMask), causal: true });
      const chunked = (x: tf.Tensor, u: tf.Tensor, output?: tf.Tensor) => {
        let state = mssaState(2, 2, 5);
        const stretches = [
          [0, 34],
          [34, 38],
          [38, 41],
        ].map(([begin, end]) => {
          const part = <T extends tf.Tensor>(all: tf.Tensor) => tf.slice(all, [0, begin!], [-1, end! - begin!]) as T;
          const options = { output: output as tf.Tensor3D, keyMask: part(tensorOf(keyMask)) };
          const streamed = mssaPrefill(part<tf.Tensor3D>(x), u as tf.Tensor3D, state, options);
          state = streamed.state;
          return streamed.output;
        });
        return tf.concat(stretches, 1);
      };
      for (const tied of [true, false]) {
        const chosen = tied ? inputs.slice(0, 2) : inputs;
        const [expected, streamed] = [whole, chunked].map((call) =>
          form.run(() =>
            tf.valueAndGrads((x: tf.Tensor, u: tf.Tensor, o?: tf.Tensor) => call(x, u, o) as tf.Tensor)(
              chosen,
              tensorOf(cotangent),
            ),
          ),
        );
        const pairs = [[expected!.value, streamed!.value], ...expected!.grads.map((grad, i) => [grad, streamed!.grads[i]!])];
        for (const [i, [one, other]] of pairs.entries()) {
          const bound = { relative: i === 0 ? form.tolerance.forward : form.tolerance.gradient };
          await assertClose(`result ${i}`, other!, { shape: one!.shape, data: await one!.data() }, bound);
        }
      }
      const [tokens, subspaces] = inputs as [tf.Tensor3D, tf.Tensor3D];
      const { state } = form.run(() => mssaPrefill(tf.slice(tokens, [0, 0], [-1, 40]), subspaces, mssaState(2, 2, 5)));
      const token = tf.squeeze<tf.Tensor2D>(tf.slice(tokens, [0, 40], [-1, 1]), [1]);
      const { dispatches, result } = await countDispatches(() => form.run(() => mssaStep(token, subspaces, state)));
      // As the whole call, and the projection is set behind the others.
      expect(dispatches).toBe(3 + 1);
      const last = tf.squeeze(
        tf.slice(
          form.run(() => mssa(tokens, subspaces, { causal: true })),
          [0, 40],
          [-1, 1],
        ),
        [1],
      );
      await assertClose(
        'step',
        result.output,
        { shape: last.shape, data: await last.data() },
        { relative: form.tolerance.forward },
      );
    });

    test('says which calls are composed, and why', () => {
      const shapes = { tokens: [2, 5, 4], subspaces: [2, 4, 3] };
      expect(implementationOf(mssaOperator, shapes).form).toBe('fused');
      expect(implementationOf(mssaOperator, shapes, { phi: 'relu' })).toMatchObject({
        form: 'composed',
        reason: expect.stringContaining('its kernels know softmax alone, not phi relu'),
      });
    });
    return;
  }

  test('NaN reaches what depends on it and nothing else', async () => {
    const { cotangent, ...given } = randomMssa(new SeededRandom(7), { tokens: 6, dim: 2, headDim: 2 });
    const tokens = spoilt(given.tokens, (i) => i === 4);
    const lostOf = async (tensor: tf.Tensor) => Array.from(await tensor.data()).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
    const everything = Array.from({ length: 12 }, (_, i) => i);
    expect(await lostOf(runMssa(form, { ...given, tokens }, { causal: true }))).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(await lostOf(runMssa(form, { ...given, tokens }))).toEqual(everything);
    // What arrives at a target reaches the sources it sees.
    const received = spoilt(cotangent, (i) => i === 4);
    const { dTokens } = differentiateMssa(form, given, received, { causal: true });
    expect(await lostOf(dTokens!)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
