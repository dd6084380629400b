import { type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor2D, type Tensor3D, valueAndGrads } from '@tensorflow/tfjs-core';
import type { PositionBias } from '../position-bias';
import { type AftLocalOptions, aftLocal } from './aft-local';
import { aftLocalReference } from './reference';

/** The backends whose fused kernels the tests force. */
export const fusedBackends = ['wasm', 'webgpu'] as const;

export const biasKinds = ['dense', 'factored', 'banded'] as const;
export type BiasKind = (typeof biasKinds)[number];

type Values = ShapedValues & { data: Float64Array };

/** Arguments of a call on plain arrays. */
export interface LocalArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly keyMask?: ShapedValues | undefined;
  /** The tensors of the bias by name: `positionBias`, `u` and `v`, or `band`. */
  readonly bias: Readonly<Record<string, ShapedValues>>;
}

export type LocalOptions = Omit<AftLocalOptions, 'keyMask'>;

/** A random bias that covers `time` steps. */
export function randomBias(random: SeededRandom, kind: BiasKind, time: number, windowSize: number, spread = 1, rank = 3) {
  const bias: Record<string, Values> = {};
  if (kind === 'dense') bias.positionBias = random.normals([time, time], spread);
  else if (kind === 'banded') bias.band = random.normals([time, Math.max(0, 2 * windowSize - 1)], spread);
  else {
    bias.u = random.normals([time, rank], Math.sqrt(spread / Math.sqrt(rank)));
    bias.v = random.normals([time, rank], Math.sqrt(spread / Math.sqrt(rank)));
  }
  return bias;
}

/** Random arguments of shape `[batch, time, dim]`; keys and biases have deviation `spread`. */
export function randomArguments(
  random: SeededRandom,
  shape: readonly [number, number, number],
  { kind = 'dense', windowSize, spread = 1 }: { kind?: BiasKind; windowSize: number; spread?: number },
) {
  return {
    query: random.normals(shape),
    key: random.normals(shape, spread),
    value: random.normals(shape),
    bias: randomBias(random, kind, shape[1], windowSize, spread),
  };
}

/** The bias of names and tensors. */
export function biasOf(tensors: Readonly<Record<string, Tensor>>): PositionBias {
  return (tensors.positionBias ?? tensors) as PositionBias;
}

const biasTensors = (bias: LocalArguments['bias']) =>
  Object.fromEntries(Object.entries(bias).map(([name, values]) => [name, tensorOf<Tensor2D>(values)]));

const optionsOf = ({ keyMask }: LocalArguments, options: LocalOptions): AftLocalOptions =>
  keyMask === undefined ? options : { ...options, keyMask: tensorOf(keyMask) };

/** `aftLocal` in one form. */
export function runLocal(form: TestForm, given: LocalArguments, options: LocalOptions): Tensor3D {
  const [query, key, value] = [given.query, given.key, given.value].map((values) => tensorOf<Tensor3D>(values)) as [
    Tensor3D,
    Tensor3D,
    Tensor3D,
  ];
  const bias = biasOf(biasTensors(given.bias));
  return form.run(() => aftLocal(query, key, value, bias, optionsOf(given, options)));
}

/** `aftLocal` and its gradients in one form: `output`, `dQuery` and so on, `dBias` by the names of the bias. */
export function differentiateLocal(form: TestForm, given: LocalArguments, cotangent: ShapedValues, options: LocalOptions) {
  const sources = [given.query, given.key, given.value].map((values) => tensorOf<Tensor3D>(values));
  const bias = biasTensors(given.bias);
  const names = Object.keys(bias);
  const all = optionsOf(given, options);
  const call = (...[query, key, value, ...table]: Tensor[]) => {
    const tables = Object.fromEntries(names.map((name, i) => [name, table[i]!]));
    return aftLocal(query as Tensor3D, key as Tensor3D, value as Tensor3D, biasOf(tables), all);
  };
  const { value, grads } = form.run(() =>
    valueAndGrads(call)([...sources, ...names.map((name) => bias[name]!)], tensorOf<Tensor3D>(cotangent)),
  );
  const [dQuery, dKey, dValue, ...rest] = grads as [Tensor, Tensor, Tensor, ...Tensor[]];
  return { output: value, dQuery, dKey, dValue, dBias: Object.fromEntries(names.map((name, i) => [name, rest[i]!])) };
}

/** The table `[time, time]` of a bias, of which any kind may cover more steps. */
export function tableOf(bias: LocalArguments['bias'], time: number, windowSize: number): Float64Array {
  const table = new Float64Array(time * time);
  const reach = windowSize - 1;
  for (let t = 0; t < time; t++) {
    for (let j = 0; j < time; j++) {
      if (Math.abs(t - j) > reach) continue;
      const { positionBias, u, v, band } = bias;
      if (positionBias) table[t * time + j] = positionBias.data[t * positionBias.shape[1]! + j]!;
      else if (band) table[t * time + j] = band.data[t * (2 * reach + 1) + j - t + reach]!;
      else {
        const rank = u!.shape[1]!;
        for (let r = 0; r < rank; r++) table[t * time + j]! += u!.data[t * rank + r]! * v!.data[j * rank + r]!;
      }
    }
  }
  return table;
}

/** The same by the float64 reference. */
export function referenceLocal(given: LocalArguments, cotangent: ShapedValues | undefined, options: LocalOptions) {
  const [batch, time, dim] = given.query.shape as [number, number, number];
  const { causal = false, queryActivation = 'sigmoid', windowSize } = options;
  const [query, key, value] = [given.query.data, given.key.data, given.value.data];
  const positionBias = tableOf(given.bias, time, windowSize);
  const call = {
    batch,
    time,
    dim,
    query,
    key,
    value,
    positionBias,
    keyMask: given.keyMask?.data,
    windowSize,
    causal,
    queryActivation,
  };
  const { dPositionBias, ...rest } = aftLocalReference(call, cotangent?.data);
  return { ...rest, dBias: gradientsOf(given.bias, dPositionBias, time, windowSize) };
}

/** The gradients of the tensors of a bias, from that of its table. */
function gradientsOf(
  { positionBias, u, v, band }: LocalArguments['bias'],
  table: Float64Array,
  time: number,
  windowSize: number,
) {
  const zeros = ({ shape }: ShapedValues): Values => ({ shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) });
  const gradients: Record<string, Values> = {};
  for (const [name, values] of Object.entries({ positionBias, u, v, band })) if (values) gradients[name] = zeros(values);
  const reach = windowSize - 1;
  for (let t = 0; t < time; t++) {
    for (let j = 0; j < time; j++) {
      const slope = table[t * time + j]!;
      if (Math.abs(t - j) > reach) continue;
      if (positionBias) gradients.positionBias!.data[t * positionBias.shape[1]! + j] = slope;
      else if (band) gradients.band!.data[t * (2 * reach + 1) + j - t + reach] = slope;
      else {
        const rank = u!.shape[1]!;
        for (let r = 0; r < rank; r++) {
          gradients.u!.data[t * rank + r]! += slope * v!.data[j * rank + r]!;
          gradients.v!.data[j * rank + r]! += slope * u!.data[t * rank + r]!;
        }
      }
    }
  }
  return gradients;
}
