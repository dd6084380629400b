import { assertClose, assertGradients, byName, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { scaledDotProductAttention } from '../scaled-dot-product-attention/scaled-dot-product-attention';
import { appendTime } from './append-time';
import { attentionPrefill, attentionState, attentionStep } from './attention-state';
import { disposeState, exportState, importState } from './state';

const sizes = { batch: 2, heads: 2, headDim: 3, valueDim: 4 };

function draw(time: number) {
  const random = new SeededRandom(time);
  const tensor = (...shape: number[]) => tensorOf<tf.Tensor4D>(random.normals(shape));
  return {
    query: tensor(2, 4, time, 3),
    key: tensor(2, 2, time, 3),
    value: tensor(2, 2, time, 4),
    bias: tensorOf<tf.Tensor3D>(random.normals([4, time, time])),
    mask: tensorOf<tf.Tensor4D>(random.mask([2, 1, 1, time], 0.8)),
    cotangent: tensor(2, 4, time, 4),
  };
}

const part = (x: tf.Tensor4D, begin: number, end: number): tf.Tensor4D =>
  tf.slice(x, [0, 0, begin, 0], [-1, -1, end - begin, -1]);
const token = (x: tf.Tensor4D, t: number): tf.Tensor3D => tf.squeeze(part(x, t, t + 1), [2]);

// On WebGPU a mask and a bias make programs of their own, which the whole call's tests compile too.
describeForms('attention streaming', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  const bound = { relative: form.tolerance.forward };

  test.each([[[0, 23]], [[0, 1, 2, 23]], [[0, 11, 11, 12, 23]]])('prefill at %j gives the whole call', async (cuts) => {
    const { query, key, value, bias, mask } = draw(23);
    const whole = form.run(() => scaledDotProductAttention(query, key, value, { causal: true, bias, mask }));
    let state = attentionState(sizes);
    const outputs = cuts.slice(1).map((end, i) => {
      const [q, k, v] = [query, key, value].map((x) => part(x, cuts[i]!, end)) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      // The bias of the whole sequence, or of the stretch alone.
      const own = i % 2 ? tf.slice(bias, [0, cuts[i]!, 0], [-1, end - cuts[i]!, end]) : bias;
      const streamed = form.run(() => attentionPrefill(q, k, v, state, { bias: own, mask }));
      state = streamed.state;
      return streamed.output;
    });
    expect(state.position).toBe(23);
    await assertClose('output', tf.concat(outputs, 2), { shape: whole.shape, data: await whole.data() }, bound);
  });

  test('step by step gives the whole call, through an exported state', async () => {
    const { query, key, value, bias, mask } = draw(13);
    const whole = form.run(() => scaledDotProductAttention(query, key, value, { causal: true, bias, mask, scale: 0.8 }));
    let state = importState(await exportState(attentionState(sizes)));
    const outputs: tf.Tensor[] = [];
    for (let t = 0; t < 13; t++) {
      const [q, k, v] = [query, key, value].map((x) => token(x, t)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
      const streamed = form.run(() => attentionStep(q, k, v, state, { bias, mask, scale: 0.8 }));
      outputs.push(streamed.output);
      state = streamed.state;
      if (t === 8) state = importState(JSON.parse(JSON.stringify(await exportState(state))));
    }
    expect(state.position).toBe(13);
    await assertClose('output', tf.stack(outputs, 2), { shape: whole.shape, data: await whole.data() }, bound);
  });

  test('chunks have the gradient of the whole', async () => {
    const { query, key, value, bias, cotangent } = draw(23);
    const begins = [0, 3, 4, 12, 23];
    const whole = (...[q, k, v, b]: tf.Tensor[]) =>
      scaledDotProductAttention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, { causal: true, bias: b });
    const cuts = begins.slice(1).flatMap((end, i) => [query, key, value].map((x) => part(x, begins[i]!, end)));
    // Cut before and joined by our own operator: the tape holds nothing of tfjs.
    const chunked = (...given: tf.Tensor[]) => {
      let state = attentionState(sizes);
      let joined: tf.Tensor4D | undefined;
      for (let i = 0; i < cuts.length; i += 3) {
        const cut = given.slice(i, i + 3) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
        const streamed = attentionPrefill(...cut, state, { bias: given.at(-1)! });
        state = streamed.state;
        joined = joined ? appendTime(joined, streamed.output) : streamed.output;
      }
      return joined!;
    };
    const expected = form.run(() => tf.grads(whole)([query, key, value, bias], cotangent)) as tf.Tensor4D[];
    const actual = form.run(() => tf.grads(chunked)([...cuts, bias], cotangent)) as tf.Tensor4D[];
    const joined = [0, 1, 2].map((i) => {
      const chunks = [0, 1, 2, 3].map((chunk) => actual[3 * chunk + i]!);
      return tf.concat(chunks, 2);
    });
    const named = (gradients: tf.Tensor[]) => byName(['dQuery', 'dKey', 'dValue', 'dBias'], gradients);
    await assertGradients(named([...joined, actual.at(-1)!]), named(expected), { relative: 2 * form.tolerance.gradient });
  });

  test('leaves the given state alone and leaks nothing', async () => {
    const { query, key, value, bias, mask } = draw(7);
    const { state } = form.run(() => attentionPrefill(query, key, value, attentionState(sizes)));
    const before = Array.from(await state.tensors.key.data());
    const [q, k, v] = [query, key, value].map((x) => token(x, 0)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const [longer, longerMask] = [
      tf.pad(bias, [
        [0, 0],
        [7, 7],
        [7, 7],
      ]),
      tf.tile(mask, [1, 1, 1, 3]),
    ];
    await expectNoLeak(() => {
      const streamed = form.run(() => attentionPrefill(query, key, value, state, { bias: longer, mask: longerMask }));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    await expectNoLeak(() => {
      const streamed = form.run(() => attentionStep(q, k, v, state, { bias: longer, mask: longerMask }));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    await expectNoLeak(() => {
      expect(() => form.run(() => attentionPrefill(query, key, value, state, { bias, mask: longerMask }))).toThrow(
        'attentionPrefill: bias',
      );
    });
    expect(Array.from(await state.tensors.key.data())).toEqual(before);
  });

  test('a stretch of no tokens gives nothing and keeps the state', async () => {
    const { query, key, value } = draw(5);
    const none = [query, key, value].map((x) => part(x, 0, 0)) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    const first = form.run(() => attentionPrefill(...none, attentionState(sizes)));
    expect([first.output.shape, first.state.position]).toEqual([[2, 4, 0, 4], 0]);
    const { state } = form.run(() => attentionPrefill(query, key, value, first.state));
    const again = form.run(() => attentionPrefill(...none, state));
    expect(again.state.position).toBe(5);
    expect(await again.state.tensors.key.data()).toEqual(await key.data());
  });

  test('refuses what does not fit', async () => {
    const { query, key, value, bias } = draw(5);
    const state = attentionState(sizes);
    const prefill = (other: unknown) => () => attentionPrefill(query, key, value, other as never);
    expect(prefill(undefined)).toThrow(
      'attentionPrefill: state is not the state of an operator; it takes one from attentionState or an earlier call',
    );
    expect(prefill({ ...state, operator: 'aftLocal' })).toThrow('attentionPrefill: state belongs to aftLocal; it takes one from');
    expect(prefill(attentionState({ ...sizes, heads: 4 }))).toThrow(
      'attentionPrefill: state was made for batch 2, heads 4, headDim 3, valueDim 4, but the keys and values have batch 2, heads 2, headDim 3, valueDim 4',
    );
    expect(() => attentionState({ batch: 1, heads: 2 } as never)).toThrow('attentionState: option headDim is missing');
    expect(() => attentionState({ ...sizes, heads: 0 })).toThrow(
      'attentionState: option heads must be an integer above 0, got 0',
    );
    expect(() => attentionStep(query as never, key as never, value as never, state)).toThrow(
      'attentionStep: query must have 3 axes [batch heads headDim], got 4',
    );
    expect(() => attentionPrefill(query, key, value, state, { causal: false } as never)).toThrow(
      "attentionPrefill: unknown option 'causal'; the options are mask, bias, scale",
    );
    const { state: later } = attentionPrefill(query, key, value, state);
    expect(() => attentionPrefill(query, key, value, later, { bias })).toThrow(
      'attentionPrefill: bias [4, 5, 5] must cover 10 sources, and 5 targets or, for the whole sequence, 10; the state has seen 5 and there are 5 more',
    );
    const data = await exportState(later);
    expect(() => importState({ ...data, position: 4 })).toThrow('importState: axis 2 of key must be 4, got 5');
    expect(() => importState({ ...data, operator: 'aftSimple' })).toThrow("importState: unknown operator 'aftSimple'");
  });
});
