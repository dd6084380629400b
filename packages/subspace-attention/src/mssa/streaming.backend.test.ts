import { assertClose, assertGradients, byName, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-layers'; // registers the gradients of what stands between the calls
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type MssaOptions, mssa } from './mssa';
import { disposeState, exportState, importState, mssaState } from './state';
import { type MssaStreamed, type MssaStreamingOptions, mssaPrefill, mssaStep } from './streaming';

const [batch, dim, heads, headDim] = [2, 6, 2, 3];

function draw(time: number) {
  const random = new SeededRandom(time);
  return {
    tokens: tensorOf<tf.Tensor3D>(random.normals([batch, time, dim])),
    subspaces: tensorOf<tf.Tensor3D>(random.normals([heads, dim, headDim], 0.6)),
    output: tensorOf<tf.Tensor3D>(random.normals([heads, headDim, dim], 0.6)),
    keyMask: tensorOf<tf.Tensor2D>(random.mask([batch, time], 0.7)),
    cotangent: tensorOf<tf.Tensor3D>(random.normals([batch, time, dim])),
  };
}

const part = <T extends tf.Tensor>(x: T, begin: number, end: number): T =>
  tf.slice(x as tf.Tensor, [0, begin], [-1, end - begin]) as T;
const token = (x: tf.Tensor3D, t: number): tf.Tensor2D => tf.squeeze(part(x, t, t + 1), [1]);

describeForms('mssa streaming', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  const bound = { relative: form.tolerance.forward };
  const start = () => mssaState(batch, heads, headDim);

  test.each([[[0, 71]], [[0, 1, 2, 71]], [[0, 33, 33, 65, 71]]])('prefill at %j gives the whole call', async (cuts) => {
    const { tokens, subspaces, output, keyMask } = draw(71);
    for (const options of [{}, { output, scale: 0.9, maskSelf: true, keyMask }] as MssaStreamingOptions[]) {
      const whole = form.run(() => mssa(tokens, subspaces, { ...options, causal: true }));
      let state = start();
      const outputs = cuts.slice(1).map((end, i) => {
        const own = { ...options, ...(options.keyMask ? { keyMask: part(keyMask, cuts[i]!, end) } : {}) };
        const streamed = form.run(() => mssaPrefill(part(tokens, cuts[i]!, end), subspaces, state, own));
        state = streamed.state;
        return streamed.output;
      });
      expect([state.position, state.tensors.projected.shape]).toEqual([71, [batch, heads, 71, headDim]]);
      await assertClose('output', tf.concat(outputs, 1), { shape: whole.shape, data: await whole.data() }, bound);
    }
  });

  test('step by step gives the whole call, through an exported state; the mask may begin late', async () => {
    const { tokens, subspaces, output, keyMask } = draw(40);
    const late = tf.concat([tf.ones([batch, 5]), part(keyMask, 5, 40)], 1);
    const whole = form.run(() => mssa(tokens, subspaces, { causal: true, output, keyMask: late }));
    let state = importState(await exportState(start()));
    const outputs: tf.Tensor[] = [];
    for (let t = 0; t < 40; t++) {
      const own = t < 5 ? {} : { keyMask: tf.squeeze<tf.Tensor1D>(part(keyMask, t, t + 1), [1]) };
      const streamed = form.run(() => mssaStep(token(tokens, t), subspaces, state, { output, ...own }));
      outputs.push(streamed.output);
      state = streamed.state;
      if (t === 8) state = importState(JSON.parse(JSON.stringify(await exportState(state))));
    }
    expect([state.position, state.tensors.mask!.shape]).toEqual([40, [batch, 40]]);
    await assertClose('output', tf.stack(outputs, 1), { shape: whole.shape, data: await whole.data() }, bound);
  });

  // The fused kernels take a way of their own for so few.
  test.each(form.form === 'fused' ? [1, 3, 4] : [])(
    '%i tokens behind 600 others, heads of 21, are the last of the whole call',
    async (count) => {
      const random = new SeededRandom(count);
      const tokens = tensorOf<tf.Tensor3D>(random.normals([1, 600, 20], 1.5));
      const subspaces = tensorOf<tf.Tensor3D>(random.normals([2, 20, 21], 0.3));
      for (const options of [{}, { maskSelf: true, keyMask: tensorOf<tf.Tensor2D>(random.mask([1, 600], 0.7)) }]) {
        const whole = form.run(() => mssa(tokens, subspaces, { ...options, causal: true }));
        const mask = (begin: number, end: number) => (options.keyMask ? { keyMask: part(options.keyMask, begin, end) } : {});
        const { keyMask, ...others } = options;
        const cut = 600 - count;
        const before = form.run(() => {
          return mssaPrefill(part(tokens, 0, cut), subspaces, mssaState(1, 2, 21), { ...others, ...mask(0, cut) });
        });
        const last = form.run(() => {
          return mssaPrefill(part(tokens, cut, 600), subspaces, before.state, { ...others, ...mask(cut, 600) });
        });
        const expected = part(whole, cut, 600);
        await assertClose('output', last.output, { shape: expected.shape, data: await expected.data() }, bound);
      }
    },
  );

  if (form.form === 'composed') {
    test.each<NonNullable<MssaOptions['phi']>>(['relu', { threshold: 0.6 }])('phi %j streams too', async (phi) => {
      const { tokens, subspaces } = draw(9);
      const whole = form.run(() => mssa(tokens, subspaces, { causal: true, phi }));
      const first = form.run(() => mssaPrefill(part(tokens, 0, 4), subspaces, start(), { phi }));
      const second = form.run(() => mssaPrefill(part(tokens, 4, 9), subspaces, first.state, { phi }));
      const joined = tf.concat([first.output, second.output], 1);
      await assertClose('output', joined, { shape: whole.shape, data: await whole.data() }, bound);
    });
  }

  test('chunks have the gradient of the whole', async () => {
    const { tokens, subspaces, output, keyMask, cotangent } = draw(71);
    const begins = [0, 3, 4, 37, 71];
    const whole = (...[x, u, o]: tf.Tensor[]) =>
      mssa(x as tf.Tensor3D, u as tf.Tensor3D, { causal: true, keyMask, output: o as tf.Tensor3D }) as tf.Tensor;
    const chunked = (...[x, u, o]: tf.Tensor[]) => {
      let state = start();
      const outputs = begins.slice(1).map((end, i) => {
        const options = { keyMask: part(keyMask, begins[i]!, end), output: o as tf.Tensor3D };
        const streamed = mssaPrefill(part(x as tf.Tensor3D, begins[i]!, end), u as tf.Tensor3D, state, options);
        state = streamed.state;
        return streamed.output as tf.Tensor;
      });
      return tf.concat(outputs, 1);
    };
    const [expected, actual] = [whole, chunked].map((call) =>
      form.run(() => tf.grads(call)([tokens, subspaces, output], cotangent)),
    ) as [tf.Tensor[], tf.Tensor[]];
    const named = (gradients: tf.Tensor[]) => byName(['dTokens', 'dSubspaces', 'dOutput'], gradients);
    await assertGradients(named(actual), named(expected), { relative: 2 * form.tolerance.gradient });
  });

  test('leaves the given state alone and leaks nothing', async () => {
    const { tokens, subspaces, keyMask } = draw(7);
    const { state } = form.run(() => mssaPrefill(tokens, subspaces, start(), { keyMask }));
    const before = Array.from(await state.tensors.projected.data());
    const one = token(tokens, 0);
    const calls: (() => MssaStreamed<tf.Tensor>)[] = [
      () => mssaPrefill(tokens, subspaces, state),
      () => mssaPrefill(tokens, subspaces, state, { keyMask }),
      () => mssaStep(one, subspaces, state),
    ];
    for (const call of calls) {
      await expectNoLeak(() => {
        const streamed = form.run(call);
        streamed.output.dispose();
        disposeState(streamed.state);
      });
    }
    await expectNoLeak(() => {
      const wrong = { output: subspaces, keyMask };
      expect(() => form.run(() => mssaPrefill(tokens, subspaces, state, wrong))).toThrow('mssaPrefill: ');
    });
    expect(Array.from(await state.tensors.projected.data())).toEqual(before);
  });

  test('a stretch of no tokens gives nothing and keeps the state', async () => {
    const { tokens, subspaces, keyMask } = draw(5);
    const none = part(tokens, 0, 0);
    const first = form.run(() => mssaPrefill(none, subspaces, start()));
    expect([first.output.shape, first.state.position]).toEqual([[batch, 0, dim], 0]);
    const { state } = form.run(() => mssaPrefill(tokens, subspaces, first.state, { keyMask }));
    const again = form.run(() => mssaPrefill(none, subspaces, state));
    expect(again.state.position).toBe(5);
    expect(await again.state.tensors.projected.data()).toEqual(await state.tensors.projected.data());
    expect(await again.state.tensors.mask!.data()).toEqual(await keyMask.data());
  });

  test('refuses what does not fit', async () => {
    const { tokens, subspaces } = draw(5);
    const prefill = (state: unknown, options: object = {}) => {
      return () => mssaPrefill(tokens, subspaces, state as never, options);
    };
    expect(prefill(undefined)).toThrow(
      'mssaPrefill: state is not the state of an operator; it takes one from mssaState or an earlier call',
    );
    expect(prefill({ ...start(), operator: 'aftLocal' })).toThrow('mssaPrefill: state belongs to aftLocal; it takes one from');
    expect(prefill(mssaState(batch, 4, headDim))).toThrow(
      'mssaPrefill: state was made for batch 2, heads 4, headDim 3, but tokens and subspaces have batch 2, heads 2, headDim 3',
    );
    expect(prefill(start(), { causal: false })).toThrow(
      "mssaPrefill: unknown option 'causal'; the options are output, keyMask, scale, maskSelf, phi",
    );
    expect(prefill(start(), { queryKeyGain: tf.ones([3]) })).toThrow(
      'mssaPrefill: option queryKeyGain does not go with a state, which holds projected tokens alone',
    );
    expect(prefill(start(), { keyMask: tf.ones([2, 4]) })).toThrow("mssaPrefill: axis 'time' is 5 in tokens but 4 in keyMask");
    expect(() => mssaStep(tokens as never, subspaces, start())).toThrow('mssaStep: token must have 2 axes [batch dim], got 3');
    expect(() => mssaState(1, 2, undefined as never)).toThrow('mssaState: headDim is missing; it takes batch, heads, headDim');
    expect(() => mssaState(1, 0, 3)).toThrow('mssaState: option heads must be an integer above 0, got 0');
    const data = await exportState(form.run(() => mssaPrefill(tokens, subspaces, start())).state);
    expect(() => importState({ ...data, position: 4 })).toThrow('importState: axis 2 of projected must be 4, got 5');
    expect(() => importState({ ...data, operator: 'ista' })).toThrow("importState: unknown operator 'ista'");
    await expect(exportState({} as never)).rejects.toThrow('exportState: state is not the state of an operator of this package');
  });
});
