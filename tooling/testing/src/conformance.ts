/// <reference types="vite/client" />
import * as tf from '@tensorflow/tfjs-core';
import { describe, test } from 'vitest';
import { assertAgrees, byName } from './assert-agrees';
import type { TestBackend } from './describe-backends';
import type { TestForm } from './describe-forms';
import { hostileLogitTolerance, hostileTolerance, type Tolerance } from './tolerances';
import { type ShapedValues, tensorOf } from './values';

export interface ConformanceCase {
  readonly name: string;
  readonly attrs: Record<string, unknown>;
  readonly inputs: Record<string, ShapedValues>;
  readonly output: ShapedValues;
  readonly cotangent?: ShapedValues;
  readonly gradients?: Record<string, ShapedValues>;
}

interface ConformanceFile {
  readonly op: string;
  readonly cases: readonly ConformanceCase[];
}

/** Calls the operator under test: inputs and options by their names in the file. */
export type ConformanceCall = (inputs: Record<string, tf.Tensor>, attrs: Record<string, unknown>) => tf.Tensor;

const files = import.meta.glob<ConformanceFile>('../conformance/*.json', { import: 'default' });
const masks: readonly string[] = ['keyMask', 'mask'];

/** The cases of `conformance/<file>.json`, for what `runConformance` does not fit: functions that give numbers. */
export async function conformanceCases(file: string): Promise<readonly ConformanceCase[]> {
  const load = files[`../conformance/${file}.json`];
  if (!load) throw new RangeError(`conformanceCases: no file '${file}' in tooling/testing/conformance`);
  return (await load()).cases;
}

/** Numbers that the output of a small case has at most. */
const SLOW_FORM_ELEMENTS = 200;

/** About how many cases of a file a slow form runs. */
const SLOW_FORM_CASES = 4;

/**
 * One test per case of `conformance/<file>.json`: output and every gradient against float64 vectors. Call it inside
 * `describeBackends` or `describeForms`.
 *
 * @param file - without '.json'. 'Hostile' in the name selects the rule for hostile inputs.
 * A slow form runs some of the small cases, if there are any.
 *
 * @param only - run the cases for which it is true.
 * @throws RangeError if there is no such file, or `only` leaves no case.
 */
export function runConformance(
  backend: TestBackend | TestForm,
  file: string,
  call: ConformanceCall,
  only: (attrs: Record<string, unknown>) => boolean = () => true,
): void {
  const load = files[`../conformance/${file}.json`];
  if (!load) throw new RangeError(`runConformance: no file '${file}' in tooling/testing/conformance`);
  const run = 'run' in backend ? backend.run : <T>(fn: () => T): T => fn();
  describe(`conformance ${file}`, async () => {
    const cases = (await load()).cases.filter(({ attrs }) => only(attrs));
    if (cases.length === 0) throw new RangeError(`runConformance: no case of '${file}' is selected`);
    for (const vector of 'isSlow' in backend && backend.isSlow ? someSmall(cases) : cases) {
      test(vector.name, () => checkCase(file, vector, (inputs) => call(inputs, vector.attrs), run, backend.tolerance));
    }
  });
}

/** Small cases from all over the file; if it has none, any. */
function someSmall(cases: readonly ConformanceCase[]): ConformanceCase[] {
  const small = cases.filter(({ output }) => output.data.length <= SLOW_FORM_ELEMENTS);
  const chosen = small.length > 0 ? small : cases;
  const step = Math.ceil(chosen.length / SLOW_FORM_CASES);
  return chosen.filter((_, i) => i % step === 0);
}

/** Output and gradients of one case; throws a ClosenessError for the first that is out of bounds. */
export async function checkCase(
  file: string,
  vector: ConformanceCase,
  call: (inputs: Record<string, tf.Tensor>) => tf.Tensor,
  run: <T>(fn: () => T) => T,
  tolerance: Tolerance,
): Promise<void> {
  const inputs = Object.fromEntries(Object.entries(vector.inputs).map(([name, values]) => [name, tensorOf(values)]));
  const { cotangent, gradients } = vector;
  const bound = file.includes('Hostile') ? { largest: hostileBounds(file) } : { relative: tolerance };
  if (!cotangent || !gradients) {
    const output = run(() => call(inputs));
    return assertAgrees({ output: shaped(output, vector.output) }, vector, bound);
  }
  const names = Object.keys(inputs).filter((name) => !masks.includes(name));
  const traced = (...tensors: tf.Tensor[]) => shaped(call({ ...inputs, ...byName(names, tensors) }), vector.output);
  const { value, grads } = run(() =>
    tf.valueAndGrads(traced)(
      names.map((name) => inputs[name]!),
      tensorOf(cotangent),
    ),
  );
  const titles = names.map((name) => `${name} gradient`);
  const expected = byName(
    titles,
    names.map((name) => gradients[name]!),
  );
  await assertAgrees({ output: value, ...byName(titles, grads) }, { output: vector.output, ...expected }, bound);
}

function hostileBounds(file: string): Tolerance {
  return file === 'mssaHostile' ? hostileLogitTolerance : hostileTolerance;
}

/** A scalar result stands in the files as shape [1]. */
function shaped(output: tf.Tensor, { shape }: ShapedValues): tf.Tensor {
  return output.rank === 0 ? tf.reshape(output, [...shape]) : output;
}
