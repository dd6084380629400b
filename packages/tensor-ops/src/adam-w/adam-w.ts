import { type Scalar, type Tensor, type Tensor1D, zeros } from '@tensorflow/tfjs-core';
import { checkOptions, show } from '../check-options';
import { checkTensor } from '../check-tensor';
import { OptionError, ShapeError } from '../errors';
import { defineOperator } from '../operator/define-operator';
import type { Operator } from '../operator/types';
import { checkList, itemNames, operatorPerLength } from '../tensor-list/tensor-list';
import { composedAdamW } from './composed';
import type { AdamWAttributes } from './update-terms';
import { wasmAdamW } from './wasm';
import { webgpuAdamW } from './webgpu';

/**
 * What AdamW remembers of a set of parameters. The moments of all of them stand one behind the other, in the order of the set. A type alias, for
 * `tf.tidy` returns no interface.
 */
export type AdamWState = {
  /** Steps made. */
  readonly updates: number;
  /** Running mean of the gradients, `[weights]`. */
  readonly mean: Tensor1D;
  /** Running mean of their squares, `[weights]`. */
  readonly square: Tensor1D;
};

/** Options of `adamWStep`; the defaults are those of PyTorch's `AdamW`. */
export interface AdamWStepOptions {
  /** Default 1e-3. */
  readonly rate?: number | undefined;
  /** Decay of the mean of the gradients, below 1; default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the mean of their squares, below 1; default 0.999. */
  readonly beta2?: number | undefined;
  /** Added to the root of the mean square, above 0; default 1e-8. */
  readonly epsilon?: number | undefined;
  /** Decoupled decay of the parameters, per step in units of the rate; default 0.01. */
  readonly weightDecay?: number | undefined;
  /** Which parameters decay, one answer each; default all. Gains and biases are often left out. */
  readonly decays?: readonly boolean[] | undefined;
  /** Factor of all gradients, such as what clips their norm. It need not be read back from the device. */
  readonly gradientScale?: Scalar | undefined;
}

const attributes: AdamWAttributes = {
  rate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  decays: '',
  updates: 1,
};
const attributeRules = {
  rate: 'nonNegative',
  beta1: 'nonNegative',
  beta2: 'nonNegative',
  epsilon: 'positive',
  weightDecay: 'nonNegative',
  updates: 'positiveInteger',
} as const;

/** Of these `checkArguments` sees to `decays` itself. */
const optionRules = {
  rate: attributeRules.rate,
  beta1: attributeRules.beta1,
  beta2: attributeRules.beta2,
  epsilon: attributeRules.epsilon,
  weightDecay: attributeRules.weightDecay,
  decays: 'unchecked',
  gradientScale: 'tensor',
} as const;

type AdamWOperator = Operator<Record<string, string>, AdamWAttributes, Record<string, string>>;

function defineAdamW(count: number): AdamWOperator {
  const [parameters, gradients] = [itemNames('parameters', count), itemNames('gradients', count)];
  const shaped = (names: readonly string[]) => Object.fromEntries(names.map((name, i) => [name, `...shape${i}`]));
  const moments = { mean: 'weights', square: 'weights' };
  return defineOperator({
    name: count === 1 ? 'AdamW' : `AdamWOf${count}`,
    publicName: 'adamWStep',
    inputs: { ...shaped(parameters), ...shaped(gradients), ...moments, 'gradientScale?': '' } as Record<string, string>,
    attributes,
    attributeRules,
    outputs: { ...shaped(parameters), ...moments } as Record<string, string>,
    compose: composedAdamW,
    kernels: { wasm: wasmAdamW, webgpu: webgpuAdamW },
  });
}

const adamWOperatorOf = /* @__PURE__ */ operatorPerLength(defineAdamW);

/**
 * AdamW for one parameter. A set of more has an operator of its own, with the inputs `parameters[0]`, `parameters[1]`, ..., and as many gradients.
 * `decays` holds `1` or `0` per parameter, or nothing if all decay; `updates` counts the steps with this one.
 */
export const adamWOperator = /* @__PURE__ */ adamWOperatorOf(1);

/**
 * The state of AdamW before the first step: zeros.
 *
 * @param parameters - those that will be updated, in the order in which they will be given.
 * @returns New tensors; the caller disposes them.
 * @throws DTypeError for what is no float32 tensor.
 */
export function adamWState(parameters: readonly Tensor[]): AdamWState {
  checkList('adamWState', 'parameters', parameters);
  const weights = parameters.reduce((sum, parameter: unknown, i) => {
    checkTensor('adamWState', `parameters[${i}]`, parameter, ['float32']);
    return sum + parameter.size;
  }, 0);
  return { updates: 0, mean: zeros([weights]), square: zeros([weights]) };
}

/**
 * One step of Adam with decoupled weight decay and bias correction, for a whole set of parameters in one kernel.
 *
 * $$ m' = \beta_1 m + (1 - \beta_1) s g \qquad v' = \beta_2 v + (1 - \beta_2) (s g)^2 $$
 * $$ w' = (1 - \eta \lambda) w - \eta \frac{m' / (1 - \beta_1^n)}{\sqrt{v' / (1 - \beta_2^n)} + \epsilon} $$
 *
 * with rate $\eta$, weight decay $\lambda$ ($0$ where a parameter does not decay), gradient scale $s$ and $n$ steps including this one.
 *
 * @param parameters - float32 tensors of any shapes.
 * @param gradients - one per parameter, of its shape.
 * @param state - from `adamWState` or the step before; not disposed.
 * @param options - See `AdamWStepOptions`.
 * @returns New parameters, in the order given, and the new state. New tensors; the caller disposes them and, once they are of no more use, what was
 *   given. Nothing is changed in place: tfjs's WASM backend keeps packed copies of a matrix by its identity, and would go on multiplying by the old one.
 * @throws ShapeError if a gradient has not the shape of its parameter, or the state is that of another set; DTypeError; OptionError.
 * @remarks One call of a kernel on WASM, one dispatch on WebGPU, however many parameters there are. O(weights) time. Not differentiable.
 * @see Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
 * @example
 * let state = adamWState(parameters);
 * const next = adamWStep(parameters, gradients, state, { rate: 3e-4, decays: parameters.map(({ rank }) => rank > 1) });
 */
export function adamWStep(
  parameters: readonly Tensor[],
  gradients: readonly Tensor[],
  state: AdamWState,
  options: AdamWStepOptions = {},
): { parameters: Tensor[]; state: AdamWState } {
  checkArguments(parameters, gradients, state, options);
  const { decays, gradientScale, ...numbers } = options;
  // An operator answers a call with an empty tensor by zeros, but an empty parameter is no reason to leave out the others.
  const places = parameters.flatMap((parameter, i) => (parameter?.size === 0 ? [] : [i]));
  const updates = state.updates + 1;
  if (places.length === 0) return { parameters: parameters.map((x) => x.clone()), state: { ...adamWState([]), updates } };
  const inputs: Record<string, Tensor> = { mean: state.mean, square: state.square };
  places.forEach((place, i) => {
    inputs[`parameters[${i}]`] = parameters[place]!;
    inputs[`gradients[${i}]`] = gradients[place]!;
  });
  if (gradientScale !== undefined) inputs.gradientScale = gradientScale;
  const flags = decays ? places.map((place) => Number(decays[place])).join('') : '';
  const made = adamWOperatorOf(places.length).run(inputs, { ...(numbers as Partial<AdamWAttributes>), decays: flags, updates });
  const updated = parameters.map((parameter) => (parameter.size === 0 ? parameter.clone() : parameter));
  places.forEach((place, i) => {
    updated[place] = made[`parameters[${i}]`]!;
  });
  return { parameters: updated, state: { updates, mean: made.mean as Tensor1D, square: made.square as Tensor1D } };
}

/** What the contract cannot say: the lists are as long as each other, the state is one, and `decays` answers for every parameter. */
function checkArguments(parameters: unknown, gradients: unknown, state: unknown, options: AdamWStepOptions): void {
  checkList('adamWStep', 'parameters', parameters);
  checkList('adamWStep', 'gradients', gradients);
  const count = parameters.length;
  if (gradients.length !== count) {
    throw new ShapeError(`adamWStep: there are ${count} parameters but ${gradients.length} gradients`);
  }
  if (!Number.isSafeInteger((state as AdamWState | undefined)?.updates)) {
    throw new OptionError(`adamWStep: state must be what adamWState or the last step returned, got ${show(state)}`);
  }
  checkOptions('adamWStep', options, optionRules);
  const { decays } = options;
  const isFlags = Array.isArray(decays) && decays.length === count && decays.every((flag) => typeof flag === 'boolean');
  if (decays !== undefined && !isFlags) {
    throw new OptionError(`adamWStep: option decays must be an array of ${count} booleans, got ${show(decays)}`);
  }
}
