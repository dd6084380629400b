import { dropout } from '@mixfold/tensor-ops';
import { assertAgrees, type SeededRandom, type ShapedValues, type TestForm, type Tolerance, tensorOf } from '@mixfold/testing';
import { ones, type Tensor, type Tensor4D, valueAndGrads } from '@tensorflow/tfjs-core';
import { attentionReference } from './reference';
import { type AttentionOptions, scaledDotProductAttention } from './scaled-dot-product-attention';

/** The backends whose fused kernels the tests force. */
export const fusedBackends: readonly ('wasm' | 'webgpu')[] = ['wasm', 'webgpu'];

/** Arguments of a call on plain arrays. */
export interface AttentionArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly mask?: ShapedValues | undefined;
  readonly bias?: ShapedValues | undefined;
}

export type PlainOptions = Omit<AttentionOptions, 'mask' | 'bias'>;

export interface AttentionSizes {
  readonly batch?: number;
  readonly heads?: number;
  readonly keyHeads?: number;
  readonly target: number;
  readonly source?: number;
  readonly headDim: number;
  readonly valueDim?: number;
}

/** Random arguments without mask and bias; keys have deviation `spread`. */
export function randomAttention(random: SeededRandom, sizes: AttentionSizes, spread = 1) {
  const { batch = 1, heads = 1, keyHeads = heads, target, source = target, headDim, valueDim = headDim } = sizes;
  return {
    query: random.normals([batch, heads, target, headDim]),
    key: random.normals([batch, keyHeads, source, headDim], spread),
    value: random.normals([batch, keyHeads, source, valueDim]),
    cotangent: random.normals([batch, heads, target, valueDim]),
  };
}

const gradientNames = { query: 'dQuery', key: 'dKey', value: 'dValue', bias: 'dBias' } as const;
type Name = keyof typeof gradientNames;
type Gradient = (typeof gradientNames)[Name];

function callOf(given: AttentionArguments, options: PlainOptions) {
  const names = (Object.keys(gradientNames) as Name[]).filter((name) => given[name] !== undefined);
  const mask = given.mask && tensorOf(given.mask);
  const call = (...tensors: Tensor[]) => {
    const { query, key, value, bias } = Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as Record<Name, Tensor4D>;
    return scaledDotProductAttention(query, key, value, { ...options, mask, bias });
  };
  return { names, call, inputs: names.map((name) => tensorOf(given[name]!)) };
}

/** `scaledDotProductAttention` in one form. */
export function runAttention(form: TestForm, given: AttentionArguments, options: PlainOptions = {}): Tensor4D {
  const { call, inputs } = callOf(given, options);
  return form.run(() => call(...inputs));
}

/** The call and its gradients in one form. */
export function differentiateAttention(
  form: TestForm,
  given: AttentionArguments,
  cotangent: ShapedValues,
  options: PlainOptions = {},
): { output: Tensor } & Partial<Record<Gradient, Tensor>> {
  const { names, call, inputs } = callOf(given, options);
  const { value, grads } = form.run(() => valueAndGrads(call)(inputs, tensorOf<Tensor4D>(cotangent)));
  return { output: value, ...Object.fromEntries(names.map((name, i) => [gradientNames[name], grads[i]!])) };
}

/** The same by the float64 reference; what is dropped is asked of `dropout`. */
export async function referenceAttention(given: AttentionArguments, cotangent?: ShapedValues, options: PlainOptions = {}) {
  const [batch, heads, target, headDim] = given.query.shape as [number, number, number, number];
  const [, keyHeads, source, valueDim] = given.value.shape as [number, number, number, number];
  const { causal = false, scale = 1 / Math.sqrt(headDim) } = options;
  const kept = options.dropout && (await dropout(ones([batch, heads, target, source]), options.dropout).data());
  return attentionReference(
    {
      sizes: { batch, heads, keyHeads, target, source, headDim, valueDim },
      ...{ query: given.query.data, key: given.key.data, value: given.value.data },
      ...{ mask: given.mask, bias: given.bias, causal, scale, kept },
    },
    cotangent?.data,
  );
}

/** Output and every gradient against the reference, by relative rms or, if `largest` is given, by the largest error. */
export async function agreesAttention(
  form: TestForm,
  given: AttentionArguments,
  cotangent: ShapedValues,
  options: PlainOptions = {},
  largest?: Tolerance,
): Promise<void> {
  const expected = await referenceAttention(given, cotangent, options);
  const actual = differentiateAttention(form, given, cotangent, options);
  await assertAgrees(actual, expected, largest ? { largest } : { relative: form.tolerance });
}
