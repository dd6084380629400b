import { assertClose, assertGradients, byName, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-layers'; // registers the gradients of the slices and the concatenation between the calls
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { disposeState, exportState, importState } from '../state';
import type { WindowedState } from '../windowed-state';
import { aftConv1d } from './aft-conv-1d';
import { aftConv1dPrefill, aftConv1dState, aftConv1dStep } from './streaming';

type State = WindowedState<'aftConv1d'>;

function draw(time: number, { dim = 6, heads = 3, window = 5, spread = 3 } = {}) {
  const random = new SeededRandom(11);
  const sizes = { batch: 2, dim, heads, window };
  return {
    sizes,
    query: tensorOf<tf.Tensor3D>(random.normals([2, time, dim])),
    key: tensorOf<tf.Tensor3D>(random.normals([2, time, heads], spread)),
    value: tensorOf<tf.Tensor3D>(random.normals([2, time, dim])),
    kernel: tensorOf<tf.Tensor2D>(random.normals([heads, window], 2)),
    keyMask: tensorOf<tf.Tensor2D>(random.mask([2, time], 0.7)),
    cotangent: tensorOf(random.normals([2, time, dim])),
  };
}

const part = <T extends tf.Tensor>(x: T, begin: number, end: number): T => tf.slice(x, [0, begin], [-1, end - begin]) as T;
const token = <T extends tf.Tensor>(x: tf.Tensor, t: number): T => tf.squeeze(part(x, t, t + 1), [1]) as T;

// Prefill and step have fused kernels on WASM; on WebGPU their composed form runs.
describeForms('aftConv1d streaming', { fused: ['wasm'], composed: ['cpu', 'wasm'] }, (form) => {
  const bound = { relative: form.tolerance.forward };

  test.each([
    [[0, 23], 5],
    [[0, 1, 2, 23], 5],
    [[0, 11, 11, 12, 23], 30],
    [[0, 7, 23], 1],
    [[0, 4, 23], 2],
  ])('prefill at %j with window %i gives the whole call', async (cuts, window) => {
    const { query, key, value, kernel, keyMask, sizes } = draw(23, { window });
    const whole = form.run(() => aftConv1d(query, key, value, kernel, { causal: true, keyMask }));
    let state = aftConv1dState(sizes);
    const outputs = cuts.slice(1).map((end, i) => {
      const [q, k, v] = [query, key, value].map((x) => part(x, cuts[i]!, end)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
      const streamed = form.run(() => aftConv1dPrefill(q, k, v, kernel, state, { keyMask: part(keyMask, cuts[i]!, end) }));
      state = streamed.state;
      return streamed.output;
    });
    expect(state.position).toBe(23);
    await assertClose('output', tf.concat(outputs, 1), { shape: whole.shape, data: await whole.data() }, bound);
  });

  test.each([3, 60])('step by step gives the whole call, through an exported state, keys of deviation %i', async (spread) => {
    const { query, key, value, kernel, keyMask, sizes } = draw(19, { spread });
    const whole = form.run(() => aftConv1d(query, key, value, kernel, { causal: true, keyMask, queryActivation: 'tanh' }));
    let state = aftConv1dState(sizes);
    const outputs: tf.Tensor[] = [];
    for (let t = 0; t < 19; t++) {
      const options = { keyMask: token<tf.Tensor1D>(keyMask, t), queryActivation: 'tanh' } as const;
      const [q, k, v] = [token<tf.Tensor2D>(query, t), token<tf.Tensor2D>(key, t), token<tf.Tensor2D>(value, t)];
      const streamed = form.run(() => aftConv1dStep(q, k, v, kernel, state, options));
      outputs.push(streamed.output);
      state = streamed.state;
      if (t === 8) state = importState(JSON.parse(JSON.stringify(await exportState(state)))) as State;
    }
    expect(state.position).toBe(19);
    await assertClose('output', tf.stack(outputs, 1), { shape: whole.shape, data: await whole.data() }, bound);
  });

  const gradientsOf = (given: ReturnType<typeof draw>, begins: readonly number[]) => {
    const { query, key, value, kernel, keyMask, cotangent, sizes } = given;
    const time = query.shape[1];
    const whole = (...[q, k, v, w]: tf.Tensor[]) =>
      aftConv1d(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, w as tf.Tensor2D, { causal: true, keyMask });
    const chunked = (...[q, k, v, w]: tf.Tensor[]) => {
      let state = aftConv1dState(sizes);
      const outputs = begins.map((begin, i) => {
        const end = begins[i + 1] ?? time;
        const cut = [q, k, v].map((x) => part(x as tf.Tensor3D, begin, end)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        const streamed = aftConv1dPrefill(...cut, w as tf.Tensor2D, state, { keyMask: part(keyMask, begin, end) });
        state = streamed.state;
        return streamed.output;
      });
      return tf.concat(outputs, 1);
    };
    return [whole, chunked].map((f) => form.run(() => tf.grads(f)([query, key, value, kernel], cotangent)));
  };

  test.each([
    ['4 chunks of 64', 256, [0, 64, 128, 192], {}],
    ['chunks shorter than the window', 23, [0, 3, 4, 12], { window: 9 }],
    ['a window of one', 23, [0, 3, 4, 12], { window: 1 }],
    ['keys of deviation 40', 23, [0, 3, 4, 12], { spread: 40 }],
  ])('%s have the gradient of the whole', async (_, time, begins, options) => {
    if (form.name === 'cpu' && time > 100) time = 128;
    const [expected, actual] = gradientsOf(
      draw(time, options),
      begins.filter((begin) => begin < time),
    );
    const named = (gradients: tf.Tensor[]) => byName(['dQuery', 'dKey', 'dValue', 'dKernel'], gradients);
    await assertGradients(named(actual!), named(expected!), { relative: 2 * form.tolerance.gradient });
  });

  test('leaves the given state alone and leaks nothing', async () => {
    const { query, key, value, kernel, sizes } = draw(7);
    const state = aftConv1dState(sizes);
    const before = Array.from(await state.tensors.memory.data());
    await expectNoLeak(() => {
      const streamed = form.run(() => aftConv1dPrefill(query, key, value, kernel, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    const [q, k, v] = [token<tf.Tensor2D>(query, 0), token<tf.Tensor2D>(key, 0), token<tf.Tensor2D>(value, 0)];
    await expectNoLeak(() => {
      const streamed = form.run(() => aftConv1dStep(q, k, v, kernel, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    expect(Array.from(await state.tensors.memory.data())).toEqual(before);
  });

  test('refuses what does not fit', async () => {
    const { query, key, value, kernel, sizes } = draw(7);
    const state = aftConv1dState(sizes);
    const prefill = (other: unknown) => () => aftConv1dPrefill(query, key, value, kernel, other as State);
    expect(prefill(undefined)).toThrow(
      'aftConv1dPrefill: state is not the state of an operator; it takes one from aftConv1dState or an earlier call',
    );
    expect(prefill({ ...state, operator: 'aftLocal' })).toThrow(
      'aftConv1dPrefill: state belongs to aftLocal; it takes one from aftConv1dState',
    );
    expect(prefill(aftConv1dState({ ...sizes, window: 6 }))).toThrow(
      'aftConv1dPrefill: state was made for batch 2, dim 6, heads 3, window 6, but the arguments have batch 2, dim 6, heads 3, window 5',
    );
    expect(() => aftConv1dState({ ...sizes, heads: 4 })).toThrow('aftConv1dState: heads must divide dim, got 4 heads and dim 6');
    expect(() => aftConv1dState({ ...sizes, window: 0 })).toThrow(
      'aftConv1dState: option window must be an integer above 0, got 0',
    );
    expect(() => aftConv1dStep(query as never, key as never, value as never, kernel, state)).toThrow(
      'aftConv1dStep: query must have 2 axes [batch dim], got 3',
    );
    expect(() => aftConv1dPrefill(query, key, value, kernel, state, { causal: false } as never)).toThrow(
      "aftConv1dPrefill: unknown option 'causal'",
    );
    const data = await exportState(state);
    expect(() => importState({ ...data, sizes: { ...data.sizes, window: 7 } })).toThrow(
      'importState: tensors.memory must have the shape [2, 66], got [2, 48]',
    );
  });
});
