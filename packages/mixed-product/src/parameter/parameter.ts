import { bindShapes, checkTensor, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';

/** The forms that the parameter of a structured convolution may be given in. */
export type ParameterKind = 'full' | 'lowRank' | 'sharedLowRank' | 'depthwise' | 'separable' | 'grouped' | 'cp' | 'tucker';

/** The parameter of a structured convolution, `Theta [terms, inputDim, outputDim]`, or the factors it is a product of. Made by a function per form. */
export interface Parameter {
  readonly kind: ParameterKind;
  /** Graphs of the basis it goes with, K. */
  readonly terms: number;
  /** Channels of the input, P. */
  readonly inputDim: number;
  /** Channels of the output, Q. */
  readonly outputDim: number;
  /** The tensors it was made of, by name; they stay their owner's. */
  readonly factors: Readonly<Record<string, Tensor>>;
}

type Shaped = Readonly<Record<string, readonly [Tensor, string]>>;

function parameterOf(name: string, kind: ParameterKind, given: Shaped, axes: Readonly<Record<string, string>>): Parameter {
  for (const [factor, [tensor]] of Object.entries(given)) checkTensor(name, factor, tensor, ['float32']);
  const sizes = bindShapes(name, given) as Record<string, number>;
  const { terms, inputDim, outputDim } = { ...sizes, ...aliases(sizes, axes) } as Record<string, number>;
  if (terms === 0) throw new ShapeError(`${name}: a parameter has at least one term, got 0`);
  const factors = Object.fromEntries(Object.entries(given).map(([factor, [tensor]]) => [factor, tensor]));
  return { kind, terms: terms!, inputDim: inputDim!, outputDim: outputDim!, factors };
}

/** Sizes that are products of axes: `{inputDim: 'groups groupInput'}`. */
function aliases(sizes: Record<string, number>, axes: Readonly<Record<string, string>>): Record<string, number> {
  const product = (words: string) => words.split(' ').reduce((size, word) => size * sizes[word]!, 1);
  return Object.fromEntries(Object.entries(axes).map(([name, words]) => [name, product(words)]));
}

/**
 * A free parameter: one matrix per term.
 *
 * @param theta - `[terms, inputDim, outputDim]`. K P Q numbers.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function fullParameter(theta: Tensor3D): Parameter {
  return parameterOf('fullParameter', 'full', { theta: [theta, 'terms inputDim outputDim'] }, {});
}

/**
 * A parameter of low rank per term, `Theta_k = U_k V_k^T`: what the value and output weights of attention are. K (P + Q) D numbers.
 *
 * @param factors - `u [terms, inputDim, rank]`, `v [terms, outputDim, rank]`.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function lowRankParameter({ u, v }: { readonly u: Tensor3D; readonly v: Tensor3D }): Parameter {
  const given: Shaped = { u: [u, 'terms inputDim rank'], v: [v, 'terms outputDim rank'] };
  return parameterOf('lowRankParameter', 'lowRank', given, {});
}

/**
 * A parameter whose terms share their input factor, `Theta_k = U V_k^T`, as attention with one set of values for all heads has. P D + K Q D numbers.
 *
 * @param factors - `u [inputDim, rank]`, `v [terms, outputDim, rank]`.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function sharedLowRankParameter({ u, v }: { readonly u: Tensor2D; readonly v: Tensor3D }): Parameter {
  const given: Shaped = { u: [u, 'inputDim rank'], v: [v, 'terms outputDim rank'] };
  return parameterOf('sharedLowRankParameter', 'sharedLowRank', given, {});
}

/**
 * A parameter that mixes no channels, `Theta_k = diag(theta_k)`. K P numbers.
 *
 * @param theta - `[terms, inputDim]`; the output has as many channels.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function depthwiseParameter(theta: Tensor2D): Parameter {
  return parameterOf('depthwiseParameter', 'depthwise', { theta: [theta, 'terms inputDim'] }, { outputDim: 'inputDim' });
}

/**
 * Depthwise taps, then one matrix for all terms, `Theta_k = diag(d_k) W`. K P + P Q numbers.
 *
 * @param factors - `depthwise [terms, inputDim]`, `pointwise [inputDim, outputDim]`.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function separableParameter(factors: { readonly depthwise: Tensor2D; readonly pointwise: Tensor2D }): Parameter {
  const { depthwise, pointwise } = factors;
  const given: Shaped = { depthwise: [depthwise, 'terms inputDim'], pointwise: [pointwise, 'inputDim outputDim'] };
  return parameterOf('separableParameter', 'separable', given, {});
}

/**
 * Groups of channels that do not mix: `Theta_k` is block-diagonal. K P Q / groups numbers.
 *
 * @param theta - `[terms, groups, inputDim / groups, outputDim / groups]`: the blocks in order.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 */
export function groupedParameter(theta: Tensor4D): Parameter {
  const axes = { inputDim: 'groups groupInput', outputDim: 'groups groupOutput' };
  return parameterOf('groupedParameter', 'grouped', { theta: [theta, 'terms groups groupInput groupOutput'] }, axes);
}

/**
 * A CP decomposition over the terms, `Theta_k = U diag(m_k) V^T`. R (K + P + Q) numbers.
 *
 * @param factors - `u [inputDim, rank]`, `mixing [terms, rank]`, `v [outputDim, rank]`.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 * @see cpDecompose64 of tensor-ops finds the factors of a tensor.
 */
export function cpParameter(factors: { readonly u: Tensor2D; readonly mixing: Tensor2D; readonly v: Tensor2D }): Parameter {
  const { u, mixing, v } = factors;
  const given: Shaped = { u: [u, 'inputDim rank'], mixing: [mixing, 'terms rank'], v: [v, 'outputDim rank'] };
  return parameterOf('cpParameter', 'cp', given, {});
}

/**
 * A Tucker decomposition, `Theta = core x (terms, input, output)`. K r0 + P r1 + Q r2 + r0 r1 r2 numbers.
 *
 * @param factors - `core [r0, r1, r2]`, `terms [terms, r0]`, `input [inputDim, r1]`, `output [outputDim, r2]`.
 * @returns The parameter.
 * @throws ShapeError; DTypeError.
 * @see tuckerDecompose64 of tensor-ops finds the factors of a tensor.
 */
export function tuckerParameter(factors: {
  readonly core: Tensor3D;
  readonly terms: Tensor2D;
  readonly input: Tensor2D;
  readonly output: Tensor2D;
}): Parameter {
  const { core, terms, input, output } = factors;
  const given: Shaped = {
    core: [core, 'termRank inputRank outputRank'],
    terms: [terms, 'terms termRank'],
    input: [input, 'inputDim inputRank'],
    output: [output, 'outputDim outputRank'],
  };
  return parameterOf('tuckerParameter', 'tucker', given, {});
}

/**
 * How many numbers a parameter has, all factors together.
 *
 * @param parameter - Of any form.
 * @returns The count; a bias has `outputDim` more.
 * @example
 * parameterCount(lowRankParameter({ u, v })); // K (P + Q) D
 */
export function parameterCount(parameter: Parameter): number {
  return Object.values(parameter.factors).reduce((count, { size }) => count + size, 0);
}
