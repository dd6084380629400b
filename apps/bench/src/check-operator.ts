import { gradientFloor, type Tolerance } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear, rms } from './assert-near';
import type { Input } from './draw';
import type { AnyTensor, OperatorCase, Sizes } from './operator-case';

/** Inputs at certain sizes, as numbers and as tensors, with what the float64 reference makes of them. */
export interface PreparedCase {
  readonly operatorCase: OperatorCase;
  readonly sizes: Sizes;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly dOutput: Float32Array;
  readonly output: Float64Array;
  /** By input. */
  readonly gradients: Readonly<Record<string, ArrayLike<number>>>;
}

/** How an implementation is called: ours in some form, or a peer's. */
export type Call = (inputs: Record<string, AnyTensor>, sizes: Sizes) => tf.Tensor | readonly tf.Tensor[];

/** Fails unless every number is as near to the reference as the backend promises. */
export function checkNumbers(
  prepared: PreparedCase,
  output: ArrayLike<number>,
  gradients: Readonly<Record<string, ArrayLike<number>>> | undefined,
  tolerance: Tolerance,
): void {
  assertNear('the output', output, prepared.output, tolerance.forward);
  if (!gradients) return;
  const floor = gradientFloor * Math.max(...Object.values(prepared.gradients).map(rms));
  for (const [name, expected] of Object.entries(prepared.gradients)) {
    assertNear(`the gradient of ${name}`, gradients[name] ?? [], expected, { relative: tolerance.gradient, floor });
  }
}

/** Runs `call` on the current backend, forward and in the pass 'both' backward if there are gradients, and compares it with the reference. */
export async function checkCall(
  prepared: PreparedCase,
  call: Call,
  tolerance: Tolerance,
  pass: 'forward' | 'both' = 'both',
): Promise<void> {
  const tensors = tensorsOf(prepared.inputs);
  if (pass === 'forward' || !prepared.operatorCase.gradients) {
    const outputs = tf.tidy(() => outputsOf(call(tensors, prepared.sizes)));
    try {
      const read = await Promise.all(outputs.map((output) => output.data()));
      return checkNumbers(prepared, joined(read), undefined, tolerance);
    } finally {
      tf.dispose([tensors, outputs]);
    }
  }
  const dOutput = tf.tidy(() => tf.reshape(tf.tensor1d(prepared.dOutput), shapesOfOutputs(prepared, call, tensors)[0]!));
  const { value, gradients } = differentiate(prepared, call, tensors, dOutput);
  try {
    const read = Object.fromEntries(
      await Promise.all(Object.entries(gradients).map(async ([name, tensor]) => [name, await tensor.data()] as const)),
    );
    checkNumbers(prepared, await value.data(), read, tolerance);
  } finally {
    tf.dispose([tensors, dOutput, value, gradients]);
  }
}

/** Forward and backward once; the caller disposes the value and the gradients. */
export function differentiate(
  { operatorCase, inputs, sizes }: Pick<PreparedCase, 'operatorCase' | 'inputs' | 'sizes'>,
  call: Call,
  tensors: Record<string, AnyTensor>,
  dOutput: tf.Tensor,
): { value: tf.Tensor; gradients: Record<string, tf.Tensor> } {
  const trained = Object.keys(inputs).filter((name) => inputs[name]!.trained);
  const traced = (...args: tf.Tensor[]) =>
    outputsOf(call({ ...tensors, ...Object.fromEntries(trained.map((name, i) => [name, args[i]!])) }, sizes))[0]!;
  const { value, grads } = tf.valueAndGrads(traced)(
    trained.map((name) => tensors[name]!),
    dOutput,
  );
  if (grads.length !== trained.length) throw new Error(`${operatorCase.name}: ${grads.length} gradients of ${trained.length}`);
  return { value, gradients: Object.fromEntries(trained.map((name, i) => [name, grads[i]!])) };
}

export function tensorsOf(inputs: Readonly<Record<string, Input>>): Record<string, AnyTensor> {
  const made = Object.entries(inputs).map(([name, { data, shape }]) => [
    name,
    tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32'),
  ]);
  return Object.fromEntries(made);
}

/** The shapes of the outputs, by one call. */
export function shapesOfOutputs(
  { sizes }: Pick<PreparedCase, 'sizes'>,
  call: Call,
  tensors: Record<string, AnyTensor>,
): number[][] {
  let shapes: number[][] = [];
  tf.tidy(() => {
    shapes = outputsOf(call(tensors, sizes)).map(({ shape }) => shape);
  });
  return shapes;
}

function outputsOf(made: ReturnType<Call>): tf.Tensor[] {
  return made instanceof tf.Tensor ? [made] : [...made];
}

function joined(parts: readonly ArrayLike<number>[]): ArrayLike<number> {
  return parts.length === 1 ? parts[0]! : parts.flatMap((part) => Array.from(part));
}
