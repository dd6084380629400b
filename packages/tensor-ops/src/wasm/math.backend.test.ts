import { describeBackends, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { testMathBinaries } from '../generated/test-math';
import { defineWasmModule, type WasmBackend, withScratch } from './index';

type MathName = 'exp' | 'expm1' | 'log' | 'sigmoid' | 'tanh' | 'scalarExp';

const module = defineWasmModule<MathName>(testMathBinaries);

function apply(name: MathName, x: ArrayLike<number>): Float32Array {
  const backend = tf.backend() as unknown as WasmBackend;
  return withScratch(backend, 8 * x.length, (pointer) => {
    const result = pointer + 4 * x.length;
    new Float32Array(backend.wasm.HEAPU8.buffer, pointer, x.length).set(x);
    module.exports(backend)[name](pointer, result, x.length);
    return new Float32Array(backend.wasm.HEAPU8.buffer, result, x.length).slice();
  });
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** Function, float64 twin, range of the argument (log: of its logarithm), bound on the relative error. */
const accuracy: readonly [MathName, (x: number) => number, low: number, high: number, bound: number][] = [
  ['exp', Math.exp, -86.98, 88.72, 1e-7],
  ['exp', Math.exp, -1, 1, 1e-7],
  ['expm1', Math.expm1, -20, 0.34, 2e-7],
  ['expm1', Math.expm1, -1e-3, 0, 2e-7],
  ['log', Math.log, 1.2e-38, 3.4e38, 1e-7],
  ['log', Math.log, 0.5, 2, 1e-7],
  ['sigmoid', logistic, -86, 80, 2e-7],
  ['tanh', Math.tanh, -10, 10, 2e-7],
  ['tanh', Math.tanh, -0.7, 0.7, 2e-7],
];

describeBackends(
  'vector mathematics',
  () => {
    it.each(accuracy)('%s is accurate', (name, exact, low, high, bound) => {
      const random = new SeededRandom(4);
      const spread = name === 'log' && low < 0.1;
      const draw = () => (spread ? Math.exp(random.uniform(Math.log(low), Math.log(high))) : random.uniform(low, high));
      const x = Float32Array.from({ length: 100_003 }, draw);
      const worst = apply(name, x).reduce((error, y, i) => {
        const want = exact(x[i]!);
        return Math.max(error, want === 0 ? Math.abs(y) : Math.abs(y - want) / Math.abs(want));
      }, 0);
      expect(worst).toBeLessThan(bound);
    });

    it('has the promised values at the ends of the range', () => {
      const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
      const same = (name: MathName, x: number[], y: number[]) => expect(Array.from(apply(name, x)), name).toEqual(y);
      same('exp', [nan, inf, -inf, 0, -0, 88.73, 1e30, -87, -104, -1e30], [nan, inf, 0, 1, 1, inf, inf, 0, 0, 0]);
      same('expm1', [nan, -inf, 0, -1e30], [nan, -1, 0, -1]);
      same('log', [nan, inf, 1, 0, -0, -1, -inf, 1e-40], [nan, inf, 0, -inf, -inf, -inf, -inf, -inf]);
      same('sigmoid', [nan, inf, -inf, 0, 100, -100], [nan, 1, 0, 0.5, 1, 0]);
      same('tanh', [nan, inf, -inf, 0, 100, -100], [nan, 1, -1, 0, 1, -1]);
    });

    it('gives a remainder the bits of the whole, and writes nothing past it', () => {
      const x = Float32Array.from({ length: 64 }, (_, i) => i / 3 - 15);
      const whole = apply('exp', x);
      expect(apply('scalarExp', x)).toEqual(whole);
      for (const length of [1, 2, 3, 5, 6, 7]) expect(apply('exp', x.slice(0, length))).toEqual(whole.slice(0, length));
    });
  },
  { only: ['wasm'] },
);
