import { assertAgrees, describeForms, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftFullFallback } from './fallback-share';
import { differentiateFull, type FullSizes, randomFull, referenceFull, runFull } from './test-calls';

const none = { elements: 0, redone: 0, tiled: 0, exponents: 0 };

interface WasmHeap {
  readonly wasm: { _malloc(bytes: number): number };
}

/** The largest block that `work` takes on the WASM heap. */
function largestBlock(work: () => void): number {
  const { wasm } = tf.backend() as unknown as WasmHeap;
  const malloc = wasm._malloc;
  let largest = 0;
  wasm._malloc = (bytes) => {
    largest = Math.max(largest, bytes);
    return malloc(bytes);
  };
  try {
    work();
  } finally {
    wasm._malloc = malloc;
  }
  return largest;
}

describeForms('the WASM kernels of aftFull', { fused: ['wasm'], only: ['wasm'] }, (form) => {
  test('count what they compute directly', () => {
    const given = randomFull(new SeededRandom(3), [2, 50, 50, 3]);
    aftFullFallback();
    runFull(form, given);
    runFull(form, given, { causal: true });
    expect(aftFullFallback()).toEqual({ ...none, elements: form.form === 'fused' ? 600 : 0 });
    if (form.form === 'composed') return;
    const far = { ...given, key: { ...given.key, data: Array.from(given.key.data, (_, i) => (i === 0 ? 1000 : 0)) } };
    const positionBias = { shape: [50, 50], data: Array.from({ length: 2500 }, (_, i) => (i % 50 === 0 ? -2000 : 0)) };
    runFull(form, { ...far, positionBias });
    // One channel of one batch entry has its largest key where no target looks.
    expect(aftFullFallback()).toEqual({ ...none, elements: 300, redone: 50 });
  });

  if (form.form === 'composed') return;

  test('never make the table of a factored bias', () => {
    const [time, dim] = [8192, 2];
    const random = new SeededRandom(1);
    const given = randomFull(random, [1, time, time, dim], { rank: 2 });
    const cotangent = random.normals([1, time, dim]);
    const bytes = largestBlock(() => tf.tidy(() => void differentiateFull(form, given, cotangent, { causal: true })));
    expect(bytes).toBeLessThan((4 * time * time) / 50);
  });

  test.each([
    [1, 40, 8192, 2],
    [1, 8192, 40, 2],
  ] as FullSizes[])('keep their promise over [%i, %i, %i, %i]', async (...shape) => {
    const random = new SeededRandom(2);
    const given = randomFull(random, shape);
    const cotangent = random.normals([shape[0], shape[1], shape[3]]);
    const expected = referenceFull(given, cotangent);
    const actual = differentiateFull(form, given, cotangent);
    await assertAgrees(actual, expected, { relative: form.tolerance });
  });

  test('give the same bits on every run', async () => {
    const random = new SeededRandom(4);
    for (const rank of [0, 3]) {
      const given = randomFull(random, [2, 140, 140, 5], { spread: 20, rank });
      const cotangent = random.normals([2, 140, 5]);
      const [a, b] = [0, 1].map(() => differentiateFull(form, given, cotangent, { causal: true }));
      for (const [name, tensor] of Object.entries(a!)) {
        expect(await (b as Record<string, tf.Tensor>)[name]!.data()).toEqual(await tensor.data());
      }
    }
  });
});
