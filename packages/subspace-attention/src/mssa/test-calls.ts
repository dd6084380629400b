import { assertAgrees, type SeededRandom, type ShapedValues, type TestForm, type Tolerance, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, valueAndGrads } from '@tensorflow/tfjs-core';
import { type MssaOptions, mssa } from './mssa';
import { mssaReference } from './reference';

/** The backends whose fused kernels the tests force. */
export const fusedBackends: readonly ('wasm' | 'webgpu')[] = ['wasm', 'webgpu'];

/** Arguments of a call on plain arrays. */
export interface MssaArguments {
  readonly tokens: ShapedValues;
  readonly subspaces: ShapedValues;
  readonly output?: ShapedValues | undefined;
  readonly keyMask?: ShapedValues | undefined;
  readonly queryKeyGain?: ShapedValues | undefined;
}

export type PlainOptions = Omit<MssaOptions, 'output' | 'keyMask' | 'queryKeyGain'>;

export interface MssaSizes {
  readonly batch?: number;
  readonly tokens: number;
  readonly dim: number;
  readonly heads?: number;
  readonly headDim: number;
}

/** Random arguments, untied if asked; projected tokens have a deviation of about `spread`. */
export function randomMssa(random: SeededRandom, sizes: MssaSizes, { untied = false, spread = 1.5 } = {}) {
  const { batch = 1, tokens, dim, heads = 1, headDim } = sizes;
  return {
    tokens: random.normals([batch, tokens, dim]),
    subspaces: random.normals([heads, dim, headDim], spread / Math.sqrt(dim)),
    output: untied ? random.normals([heads, headDim, dim], 1 / Math.sqrt(headDim)) : undefined,
    cotangent: random.normals([batch, tokens, dim]),
  };
}

const gradientNames = { tokens: 'dTokens', subspaces: 'dSubspaces', output: 'dOutput', queryKeyGain: 'dQueryKeyGain' } as const;
type Name = keyof typeof gradientNames;
type Gradient = (typeof gradientNames)[Name];

function callOf(given: MssaArguments, options: PlainOptions) {
  const names = (Object.keys(gradientNames) as Name[]).filter((name) => given[name] !== undefined);
  const keyMask = given.keyMask && tensorOf<Tensor2D>(given.keyMask);
  const call = (...tensors: Tensor[]) => {
    const named = Object.fromEntries(names.map((name, i) => [name, tensors[i]])) as Record<Name, Tensor3D>;
    const { tokens, subspaces, output } = named;
    const queryKeyGain = named.queryKeyGain as Tensor as Tensor1D;
    return mssa(tokens, subspaces, { ...options, output, keyMask, queryKeyGain });
  };
  return { names, call, inputs: names.map((name) => tensorOf(given[name]!)) };
}

/** `mssa` in one form. */
export function runMssa(form: TestForm, given: MssaArguments, options: PlainOptions = {}): Tensor3D {
  const { call, inputs } = callOf(given, options);
  return form.run(() => call(...inputs));
}

/** The call and its gradients in one form. */
export function differentiateMssa(
  form: TestForm,
  given: MssaArguments,
  cotangent: ShapedValues,
  options: PlainOptions = {},
): { denoised: Tensor } & Partial<Record<Gradient, Tensor>> {
  const { names, call, inputs } = callOf(given, options);
  const { value, grads } = form.run(() => valueAndGrads(call)(inputs, tensorOf<Tensor3D>(cotangent)));
  return { denoised: value, ...Object.fromEntries(names.map((name, i) => [gradientNames[name], grads[i]!])) };
}

/** The same by the float64 reference. */
export function referenceMssa(given: MssaArguments, cotangent?: ShapedValues, options: PlainOptions = {}) {
  const [batch, tokens, dim] = given.tokens.shape as [number, number, number];
  const [heads, , headDim] = given.subspaces.shape as [number, number, number];
  const { causal, maskSelf, phi } = options;
  const scale = options.scale ?? (typeof phi === 'object' ? 1 : 1 / Math.sqrt(headDim));
  return mssaReference(
    {
      ...{ tokens: given.tokens.data, subspaces: given.subspaces.data, output: given.output?.data },
      ...{ keyMask: given.keyMask?.data, queryKeyGain: given.queryKeyGain?.data },
      ...{ sizes: { batch, tokens, dim, heads, headDim }, causal, scale, maskSelf, phi },
    },
    cotangent?.data,
  );
}

/** Output and every gradient against the reference, by relative rms or, if `largest` is given, by the largest error. */
export async function agreesMssa(
  form: TestForm,
  given: MssaArguments,
  cotangent: ShapedValues,
  options: PlainOptions = {},
  largest?: Tolerance,
): Promise<void> {
  const expected = referenceMssa(given, cotangent, options);
  const { denoised, ...gradients } = differentiateMssa(form, given, cotangent, options);
  const actual = { output: denoised, ...gradients };
  const reference = { ...expected, output: expected.denoised };
  await assertAgrees(actual, reference, largest ? { largest } : { relative: form.tolerance });
}
