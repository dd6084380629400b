import { assertClose, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-layers'; // registers the gradients of the slices and the concatenation between the calls
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type AftState, disposeState, exportState, importState } from '../state';
import { aftSimple } from './aft-simple';
import { aftSimplePrefill, aftSimpleState, aftSimpleStep } from './streaming';
import { fusedBackends } from './test-calls';

const [batch, time, dim] = [2, 37, 5];
const shape = [batch, time, dim];

function draw(spread = 3) {
  const random = new SeededRandom(11);
  const [query, key, value] = [random.normals(shape), random.normals(shape, spread), random.normals(shape)].map((x) =>
    tensorOf<tf.Tensor3D>(x),
  );
  const mask = random.mask([batch, time], 0.7);
  return {
    query: query!,
    key: key!,
    value: value!,
    keyMask: tensorOf<tf.Tensor2D>(mask),
    cotangent: tensorOf(random.normals(shape)),
  };
}

const part = <T extends tf.Tensor>(x: T, begin: number, end: number): T => tf.slice(x, [0, begin], [-1, end - begin]) as T;
const token = <T extends tf.Tensor>(x: tf.Tensor, t: number): T => tf.squeeze(part(x, t, t + 1), [1]) as T;

describeForms('aftSimple streaming', { fused: fusedBackends }, (form) => {
  const bound = { relative: form.tolerance.forward };

  test.each([[[0, 37]], [[0, 1, 37]], [[0, 16, 17, 37]], [[0, 5, 5, 30, 37]]])(
    'prefill at %j gives the whole call',
    async (cuts) => {
      const { query, key, value, keyMask } = draw();
      const whole = form.run(() => aftSimple(query, key, value, { causal: true, keyMask }));
      let state = aftSimpleState(batch, dim);
      const outputs = cuts.slice(1).map((end, i) => {
        const [q, k, v] = [query, key, value].map((x) => part(x, cuts[i]!, end)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        const streamed = form.run(() => aftSimplePrefill(q, k, v, state, { keyMask: part(keyMask, cuts[i]!, end) }));
        state = streamed.state;
        return streamed.output;
      });
      expect(state.position).toBe(time);
      await assertClose('output', tf.concat(outputs, 1), { shape, data: await whole.data() }, bound);
    },
  );

  test('step by step gives the whole call, through an exported state', async () => {
    const { query, key, value, keyMask } = draw();
    const whole = form.run(() => aftSimple(query, key, value, { causal: true, keyMask, queryActivation: 'tanh' }));
    let state = aftSimpleState(batch, dim);
    const outputs: tf.Tensor[] = [];
    for (let t = 0; t < time; t++) {
      const mask = token<tf.Tensor1D>(keyMask, t);
      const options = { keyMask: mask, queryActivation: 'tanh' } as const;
      const streamed = form.run(() => aftSimpleStep(token(query, t), token(key, t), token(value, t), state, options));
      outputs.push(streamed.output);
      state = streamed.state;
      if (t === 20) state = importState(JSON.parse(JSON.stringify(await exportState(state)))) as AftState<'aftSimple'>;
    }
    expect(state.position).toBe(time);
    await assertClose('output', tf.stack(outputs, 1), { shape, data: await whole.data() }, bound);
  });

  test('chunks that pass the state on have the gradient of the whole', async () => {
    const { query, key, value, keyMask, cotangent } = draw();
    const whole = (...[q, k, v]: tf.Tensor[]) =>
      aftSimple(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { causal: true, keyMask });
    const chunked = (...[q, k, v]: tf.Tensor[]) => {
      let state = aftSimpleState(batch, dim);
      const outputs = [0, 9, 10, 26].map((begin, i, begins) => {
        const end = begins[i + 1] ?? time;
        const cut = [q, k, v].map((x) => part(x as tf.Tensor3D, begin, end)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        const streamed = aftSimplePrefill(...cut, state, { keyMask: part(keyMask, begin, end) });
        state = streamed.state;
        return streamed.output;
      });
      return tf.concat(outputs, 1);
    };
    const [expected, actual] = [whole, chunked].map((f) => form.run(() => tf.grads(f)([query, key, value], cotangent)));
    for (const [i, name] of ['dQuery', 'dKey', 'dValue'].entries()) {
      await assertClose(
        name,
        actual![i]!,
        { shape, data: await expected![i]!.data() },
        { relative: 2 * form.tolerance.gradient },
      );
    }
  });

  test('leaves the given state alone and leaks nothing', async () => {
    const { query, key, value } = draw();
    const state = aftSimpleState(batch, dim);
    const before = Array.from(await state.tensors.sums!.data());
    await expectNoLeak(() => {
      const streamed = form.run(() => aftSimplePrefill(query, key, value, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    const [q, k, v] = [token<tf.Tensor2D>(query, 0), token<tf.Tensor2D>(key, 0), token<tf.Tensor2D>(value, 0)];
    await expectNoLeak(() => {
      const streamed = form.run(() => aftSimpleStep(q, k, v, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    expect(Array.from(await state.tensors.sums!.data())).toEqual(before);
  });

  test('refuses a state that does not fit', async () => {
    const { query, key, value } = draw();
    const state = aftSimpleState(batch, dim);
    const prefill = (other: unknown) => () => aftSimplePrefill(query, key, value, other as AftState<'aftSimple'>);
    expect(prefill(undefined)).toThrow(
      'aftSimplePrefill: state is not the state of an operator; it takes one from aftSimpleState or an earlier call',
    );
    expect(prefill({ ...state, operator: 'aftLocal' })).toThrow(
      'aftSimplePrefill: state belongs to aftLocal; it takes one from aftSimpleState',
    );
    expect(prefill(aftSimpleState(batch, dim + 1))).toThrow(/aftSimple: axis 'dim' is 5 in query but 6 in initialState/);
    expect(prefill(aftSimpleState(batch + 1, dim))).toThrow(/axis 'batch' is 2 in query but 3 in initialState/);
    expect(() => aftSimpleState(0, 3)).toThrow('aftSimpleState: option batch must be an integer above 0, got 0');
    expect(() => aftSimpleStep(query as never, key as never, value as never, state)).toThrow(
      'aftSimpleStep: query must have 2 axes [batch dim], got 3',
    );
    expect(() => aftSimplePrefill(query, key, value, state, { causal: false } as never)).toThrow(
      "aftSimplePrefill: unknown option 'causal'",
    );
    const data = await exportState(state);
    expect(() => importState({ ...data, operator: 'aftOther' })).toThrow("importState: unknown operator 'aftOther'");
    expect(() => importState({ ...data, position: -1 })).toThrow('importState: position must be an integer, 0 or above, got -1');
    expect(() => importState({ ...data, tensors: {} })).toThrow('importState: tensors.sums must be {shape, data}');
    expect(() => importState({ ...data, tensors: { sums: { shape: [2, 3, 5], data: [1] } } })).toThrow(
      'tensors.sums.data must hold 30 numbers, got 1',
    );
    expect(() => importState({ ...data, tensors: { sums: { shape: [2, 4, 5], data: [] } } })).toThrow(
      'axis 1 of sums must be 3, got 4',
    );
  });
});
