import { assertAgrees, type SeededRandom, type ShapedValues, type TestForm, type Tolerance, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor2D, type Tensor3D, valueAndGrads } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { aftFull } from './aft-full';
import { aftFullReference } from './reference';

/** The backends whose fused kernels the tests force. */
export const fusedBackends: readonly ('wasm' | 'webgpu')[] = ['wasm', 'webgpu'];

/** Arguments of a call on plain arrays; the bias is dense or in factors. */
export interface FullArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly positionBias?: ShapedValues;
  readonly u?: ShapedValues;
  readonly v?: ShapedValues;
  readonly keyMask?: ShapedValues | undefined;
}

export type FullOptions = Omit<AftOptions, 'keyMask'>;

/** `[batch, target, source, dim]`. */
export type FullSizes = readonly [batch: number, target: number, source: number, dim: number];

/** Random arguments; keys have deviation `spread`, a dense bias too. A rank above 0 makes factors. */
export function randomFull(
  random: SeededRandom,
  [batch, target, source, dim]: FullSizes,
  { spread = 1, rank = 0 } = {},
): FullArguments {
  const mixed = {
    query: random.normals([batch, target, dim]),
    key: random.normals([batch, source, dim], spread),
    value: random.normals([batch, source, dim]),
  };
  if (rank === 0) return { ...mixed, positionBias: random.normals([target, source], spread) };
  return { ...mixed, u: random.normals([target, rank]), v: random.normals([source, rank], spread / Math.sqrt(rank)) };
}

const gradientNames = { query: 'dQuery', key: 'dKey', value: 'dValue', positionBias: 'dPositionBias', u: 'dU', v: 'dV' } as const;
type Name = keyof typeof gradientNames;
type Gradient = (typeof gradientNames)[Name];

function callOf(given: FullArguments, options: FullOptions) {
  const names = (Object.keys(gradientNames) as Name[]).filter((name) => given[name] !== undefined);
  const all: AftOptions = given.keyMask === undefined ? options : { ...options, keyMask: tensorOf(given.keyMask) };
  const call = (...tensors: Tensor[]) => {
    const by = Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) as Record<Name, Tensor2D>;
    const bias = by.positionBias ?? { u: by.u, v: by.v };
    return aftFull(by.query as Tensor as Tensor3D, by.key as Tensor as Tensor3D, by.value as Tensor as Tensor3D, bias, all);
  };
  return { names, call, inputs: names.map((name) => tensorOf(given[name]!)) };
}

/** `aftFull` in one form. */
export function runFull(form: TestForm, given: FullArguments, options: FullOptions = {}): Tensor3D {
  const { call, inputs } = callOf(given, options);
  return form.run(() => call(...inputs));
}

/** `aftFull` and its gradients in one form; those of the bias by the kind that was given. */
export function differentiateFull(
  form: TestForm,
  given: FullArguments,
  cotangent: ShapedValues,
  options: FullOptions = {},
): { output: Tensor } & Partial<Record<Gradient, Tensor>> {
  const { names, call, inputs } = callOf(given, options);
  const { value, grads } = form.run(() => valueAndGrads(call)(inputs, tensorOf<Tensor3D>(cotangent)));
  return { output: value, ...Object.fromEntries(names.map((name, i) => [gradientNames[name], grads[i]!])) };
}

/** The same by the float64 reference. */
export function referenceFull(given: FullArguments, cotangent?: ShapedValues, options: FullOptions = {}) {
  const [batch, target, dim] = given.query.shape as [number, number, number];
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const data = (values: ShapedValues | undefined) => values?.data;
  return aftFullReference(
    {
      ...{ batch, target, source: given.key.shape[1]!, dim, causal, queryActivation },
      ...{ query: given.query.data, key: given.key.data, value: given.value.data },
      ...{ positionBias: data(given.positionBias), u: data(given.u), v: data(given.v), keyMask: data(given.keyMask) },
    },
    cotangent?.data,
  );
}

/** Output and every gradient against the reference, by relative rms or, if `largest` is given, by the largest error. */
export async function agreesFull(
  form: TestForm,
  given: FullArguments,
  cotangent: ShapedValues,
  options: FullOptions = {},
  largest?: Tolerance,
): Promise<void> {
  const expected = referenceFull(given, cotangent, options);
  const actual = differentiateFull(form, given, cotangent, options);
  await assertAgrees(actual, expected, largest ? { largest } : { relative: form.tolerance });
}
