import { OptionError, ShapeError } from '@mixfold/tensor-ops';
import { describeBackends } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { NONE } from './masked-sources';
import { exportState, importState } from './state';
import { emptyMemory, joinMemory, memoryLayout, splitMemory } from './window-memory';
import { checkWindowedState, type WindowedState } from './windowed-state';

const sizes = { batch: 2, dim: 4, windowSize: 3 };
const memorySizes = { keyWidth: 4, dim: 4, past: 2 };

const fresh = (): WindowedState<'aftLocal'> => ({
  operator: 'aftLocal',
  position: 0,
  sizes,
  tensors: { memory: emptyMemory(2, memorySizes) },
});

describeBackends('the state of an operator with a window', () => {
  test.each([
    { keyWidth: 4, dim: 4, past: 2 },
    { keyWidth: 1, dim: 6, past: 1 },
    { keyWidth: 2, dim: 4, past: 0 },
  ])('is taken apart and put together: %j', async (given) => {
    const memory = emptyMemory(2, given);
    const { length, numerator, denominator, keys, values } = memoryLayout(given);
    expect(memory.shape).toEqual([2, length]);
    const row = Array.from(await memory.data()).slice(0, length);
    const isNone = (i: number) => i < numerator || (i >= keys && i < values);
    expect(row).toEqual(Array.from({ length }, (_, i) => (isNone(i) ? Math.fround(NONE) : 0)));
    const parts = splitMemory(memory, given);
    expect(parts.sums.map(({ shape }) => shape)).toEqual([
      [2, 1, given.keyWidth],
      [2, 1, given.dim],
      [2, 1, given.keyWidth],
    ]);
    expect(denominator - numerator).toBe(given.dim);
    expect(parts.sources === undefined).toBe(given.past === 0);
    expect(await joinMemory(parts).data()).toEqual(await memory.data());
  });

  test('is exported with its sizes, and refused if they do not fit its tensor', async () => {
    const data = JSON.parse(JSON.stringify(await exportState(fresh())));
    expect(importState(data)).toMatchObject({ operator: 'aftLocal', position: 0, sizes });
    const wrong = (change: object) => () => importState({ ...data, ...change });
    expect(wrong({ sizes: { ...sizes, windowSize: -1 } })).toThrow(
      'importState: sizes.windowSize must be an integer, 0 or above, got -1; it takes what exportState gave',
    );
    expect(wrong({ sizes: undefined })).toThrow('sizes.batch must be an integer, 1 or above, got undefined');
    expect(wrong({ sizes: { ...sizes, windowSize: 4 } })).toThrow(
      'importState: tensors.memory must have the shape [2, 36], got [2, 28]; it takes what exportState gave',
    );
  });

  test('is refused by another operator and at other sizes', () => {
    const check = (state: unknown, given: Record<string, number>) => () =>
      checkWindowedState('aftLocalStep', state as WindowedState, 'aftLocal', given);
    expect(check(fresh(), { batch: 2, dim: 4 })).not.toThrow();
    expect(check({ ...fresh(), operator: 'aftConv1d' }, {})).toThrow(
      new OptionError('aftLocalStep: state belongs to aftConv1d; it takes one from aftLocalState or an earlier call'),
    );
    expect(check({ operator: 'aftLocal', position: 0, tensors: {} }, { batch: 2 })).toThrow(OptionError);
    expect(check(fresh(), { batch: 2, dim: 5 })).toThrow(
      new ShapeError('aftLocalStep: state was made for batch 2, dim 4, but the arguments have batch 2, dim 5'),
    );
  });
});
