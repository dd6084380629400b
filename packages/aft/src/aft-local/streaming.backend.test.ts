import { OptionError, ShapeError } from '@mixfold/tensor-ops';
import { assertClose, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-layers'; // registers the gradients of the slices and the concatenation between the calls
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { PositionBias } from '../position-bias';
import { disposeState, exportState, importState } from '../state';
import { aftLocal } from './aft-local';
import { type AftLocalState, aftLocalPrefill, aftLocalState, aftLocalStep } from './streaming';
import { type BiasKind, biasOf, fusedBackends, randomBias } from './test-calls';

const [batch, time, dim] = [2, 23, 5];
const shape = [batch, time, dim];

function draw(kind: BiasKind, windowSize: number) {
  const random = new SeededRandom(11);
  const [query, key, value] = [random.normals(shape), random.normals(shape, 3), random.normals(shape)].map((x) =>
    tensorOf<tf.Tensor3D>(x),
  ) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  // A bias for more tokens than there are.
  const values = randomBias(random, kind, time + 4, windowSize, 2);
  const tables = Object.fromEntries(Object.entries(values).map(([name, x]) => [name, tensorOf<tf.Tensor2D>(x)]));
  const keyMask = tensorOf<tf.Tensor2D>(random.mask([batch, time], 0.7));
  return { query, key, value, tables, bias: biasOf(tables), keyMask, cotangent: tensorOf(random.normals(shape)) };
}

const part = <T extends tf.Tensor>(x: T, begin: number, end: number): T => tf.slice(x, [0, begin], [-1, end - begin]) as T;
const token = <T extends tf.Tensor>(x: tf.Tensor, t: number): T => tf.squeeze(part(x, t, t + 1), [1]) as T;

/** The stretches between `cuts` one after the other; the outputs together, and the last state. */
function stream(
  [query, key, value]: readonly tf.Tensor[],
  bias: PositionBias,
  keyMask: tf.Tensor2D,
  windowSize: number,
  cuts: readonly number[],
) {
  let state = aftLocalState({ batch, dim, windowSize });
  const outputs = cuts.slice(1).map((end, i) => {
    const [q, k, v] = [query, key, value].map((x) => part(x!, cuts[i]!, end)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    const streamed = aftLocalPrefill(q, k, v, bias, state, { keyMask: part(keyMask, cuts[i]!, end) });
    state = streamed.state;
    return streamed.output;
  });
  return { output: tf.concat(outputs, 1), state };
}

describeForms('aftLocal streaming', { fused: fusedBackends, composed: ['cpu', 'wasm'] }, (form) => {
  const bound = { relative: form.tolerance.forward };

  test.each([
    ['dense', 4, [0, 23]],
    ['banded', 4, [0, 1, 23]],
    ['factored', 4, [0, 5, 5, 16, 17, 23]],
    ['factored', 30, [0, 9, 23]],
    ['banded', 1, [0, 2, 11, 23]],
    ['dense', 0, [0, 2, 11, 23]],
    ['banded', 0, [0, 7, 23]],
  ] as const)('prefill of a %s bias with window %i at %j gives the whole call', async (kind, windowSize, cuts) => {
    const { query, key, value, bias, keyMask } = draw(kind, windowSize);
    const whole = form.run(() => aftLocal(query, key, value, bias, { windowSize, causal: true, keyMask }));
    const { output, state } = form.run(() => stream([query, key, value], bias, keyMask, windowSize, cuts));
    expect(state.position).toBe(time);
    await assertClose('output', output, { shape, data: await whole.data() }, bound);
  });

  test.each([
    ['dense', 4, true],
    ['banded', 7, false],
    ['factored', 9, false],
  ] as const)(
    'step by step gives the whole call, through an exported state: %s, window %i, a mask: %s',
    async (kind, windowSize, masked) => {
      const { query, key, value, bias, keyMask: mask } = draw(kind, windowSize);
      const keyMask = masked ? mask : undefined;
      const whole = form.run(() =>
        aftLocal(query, key, value, bias, { windowSize, causal: true, keyMask, queryActivation: 'tanh' }),
      );
      let state = aftLocalState({ batch, dim, windowSize });
      const outputs: tf.Tensor[] = [];
      for (let t = 0; t < time; t++) {
        const options = { keyMask: keyMask && token<tf.Tensor1D>(keyMask, t), queryActivation: 'tanh' } as const;
        const streamed = form.run(() => aftLocalStep(token(query, t), token(key, t), token(value, t), bias, state, options));
        outputs.push(streamed.output);
        state = streamed.state;
        if (t === 2 || t === 12) state = importState(JSON.parse(JSON.stringify(await exportState(state)))) as AftLocalState;
      }
      expect(state).toMatchObject({ position: time, sizes: { batch, dim, windowSize } });
      await assertClose('output', tf.stack(outputs, 1), { shape, data: await whole.data() }, bound);
    },
  );

  test.each([
    ['dense', 4],
    ['banded', 8],
    ['factored', 4],
    ['banded', 1],
    ['factored', 0],
  ] as const)('chunks that pass the state on have the gradient of the whole: %s, window %i', async (kind, windowSize) => {
    const { query, key, value, tables, keyMask, cotangent } = draw(kind, windowSize);
    const names = Object.keys(tables);
    const split = (inputs: tf.Tensor[]) => ({
      sources: inputs.slice(0, 3) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D],
      bias: biasOf(Object.fromEntries(names.map((name, i) => [name, inputs[3 + i]!]))),
    });
    const whole = (...inputs: tf.Tensor[]) => {
      const { sources, bias } = split(inputs);
      return aftLocal(...sources, bias, { windowSize, causal: true, keyMask });
    };
    const chunked = (...inputs: tf.Tensor[]) => {
      const { sources, bias } = split(inputs);
      return stream(sources, bias, keyMask, windowSize, [0, 9, 10, 16, time]).output;
    };
    const inputs = [query, key, value, ...names.map((name) => tables[name]!)];
    const [expected, actual] = [whole, chunked].map((f) => form.run(() => tf.grads(f)(inputs, cotangent)));
    for (const [i, name] of ['query', 'key', 'value', ...names].entries()) {
      const { shape: own } = inputs[i]!;
      const reference = { shape: own, data: await expected![i]!.data() };
      await assertClose(`gradient of ${name}`, actual![i]!, reference, { relative: 2 * form.tolerance.gradient });
    }
  });

  test('leaves the given state alone and leaks nothing', async () => {
    const { query, key, value, bias } = draw('factored', 4);
    const state = aftLocalState({ batch, dim, windowSize: 4 });
    const before = Array.from(await state.tensors.memory.data());
    await expectNoLeak(() => {
      const streamed = form.run(() => aftLocalPrefill(query, key, value, bias, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    const [q, k, v] = [token<tf.Tensor2D>(query, 0), token<tf.Tensor2D>(key, 0), token<tf.Tensor2D>(value, 0)];
    await expectNoLeak(() => {
      const streamed = form.run(() => aftLocalStep(q, k, v, bias, state));
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    const nothing = tf.zeros<tf.Rank.R3>([batch, 0, dim]);
    await expectNoLeak(() => {
      const streamed = form.run(() => aftLocalPrefill(nothing, nothing, nothing, bias, state));
      expect(streamed.output.shape).toEqual([batch, 0, dim]);
      streamed.output.dispose();
      disposeState(streamed.state);
    });
    expect(Array.from(await state.tensors.memory.data())).toEqual(before);
  });

  if (form.label !== 'cpu composed') return;

  test('four chunks of 64 have the gradient of 256 steps at once', async () => {
    const random = new SeededRandom(5);
    const long = [1, 256, 3];
    const inputs = [
      random.normals(long),
      random.normals(long),
      random.normals(long),
      random.normals([256, 2]),
      random.normals([256, 2]),
    ].map((x) => tensorOf(x));
    const cotangent = tensorOf(random.normals(long));
    const windowSize = 16;
    const whole = (...[q, k, v, u, w]: tf.Tensor[]) =>
      aftLocal(
        q as tf.Tensor3D,
        k as tf.Tensor3D,
        v as tf.Tensor3D,
        { u: u as tf.Tensor2D, v: w as tf.Tensor2D },
        { windowSize, causal: true },
      );
    const chunked = (...[q, k, v, u, w]: tf.Tensor[]) => {
      let state = aftLocalState({ batch: 1, dim: 3, windowSize });
      const outputs = [0, 64, 128, 192].map((begin) => {
        const cut = [q, k, v].map((x) => part(x!, begin, begin + 64)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
        const streamed = aftLocalPrefill(...cut, { u: u as tf.Tensor2D, v: w as tf.Tensor2D }, state);
        state = streamed.state;
        return streamed.output;
      });
      return tf.concat(outputs, 1);
    };
    const [expected, actual] = [whole, chunked].map((f) => tf.grads(f)(inputs, cotangent));
    for (const [i, name] of ['query', 'key', 'value', 'u', 'v'].entries()) {
      const reference = { shape: inputs[i]!.shape, data: await expected![i]!.data() };
      await assertClose(`gradient of ${name}`, actual![i]!, reference, { relative: form.tolerance.gradient });
    }
  });

  test('refuses a state or a bias that does not fit', () => {
    const { query, key, value, bias } = draw('factored', 4);
    const state = aftLocalState({ batch, dim, windowSize: 4 });
    const prefill =
      (other: unknown, table: unknown = bias) =>
      () =>
        aftLocalPrefill(query, key, value, table as PositionBias, other as AftLocalState);
    expect(prefill(undefined)).toThrow(
      new OptionError(
        'aftLocalPrefill: state is not the state of an operator; it takes one from aftLocalState or an earlier call',
      ),
    );
    expect(prefill({ ...state, operator: 'aftSimple' })).toThrow(
      new OptionError('aftLocalPrefill: state belongs to aftSimple; it takes one from aftLocalState or an earlier call'),
    );
    expect(prefill(aftLocalState({ batch, dim: dim + 1, windowSize: 4 }))).toThrow(
      new ShapeError('aftLocalPrefill: state was made for batch 2, dim 6, but the arguments have batch 2, dim 5'),
    );
    expect(prefill({ ...state, sizes: { ...state.sizes, windowSize: 5 } })).toThrow('aftLocal: state must have 55 terms, got 45');
    // The bias covers 27 tokens.
    expect(prefill({ ...state, position: 5 })).toThrow(
      /^aftLocalPrefill: u \[27, 3\] covers 27 on axis 'target', the sequence has 28;/,
    );
    expect(prefill(state, { band: tf.zeros([time, 6]) })).toThrow(/^aftLocalPrefill: axis 1 of band must be 7, got 6/);
    expect(() => aftLocalState({ batch, dim, windowSize: -1 })).toThrow(
      'aftLocalState: option windowSize must be an integer, 0 or above, got -1',
    );
    expect(() => aftLocalState({ batch, dim } as never)).toThrow('aftLocalState: option windowSize is missing');
    expect(() => aftLocalStep(query as never, key as never, value as never, bias, state)).toThrow(
      'aftLocalStep: query must have 2 axes [batch dim], got 3',
    );
    expect(() => aftLocalPrefill(query, key, value, bias, state, { causal: false } as never)).toThrow(
      "aftLocalPrefill: unknown option 'causal'",
    );
  });
});
