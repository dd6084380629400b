import type { AnyOperator } from '@mixfold/tensor-ops';
import type * as tf from '@tensorflow/tfjs-core';
import type { Draw, Input } from './draw';
import type { Jax, JaxArray } from './peers/jax';
import type { OnnxGraph } from './peers/onnx-model';

export type Sizes = Readonly<Record<string, number>>;

// biome-ignore lint/suspicious/noExplicitAny: the rank of an input is known to the case alone
export type AnyTensor = tf.Tensor<any>;

/** Floating-point operations of one call; a multiply-add is two. */
export interface Flops {
  readonly forward: number;
  /** Forward and backward together. */
  readonly both: number;
}

/**
 * An operator at given sizes, with its float64 reference and the same computation as users of other libraries would write it.
 * The benchmarks of this machine and those of a GPU elsewhere both read it.
 */
export interface OperatorCase<S extends Sizes = Sizes, Names extends string = string> {
  /** What `--only` selects by. */
  readonly name: string;
  readonly about: string;
  /** The operators that a call runs, without their gradients. */
  readonly operators: readonly AnyOperator[];
  readonly sizes: {
    /** Small and odd: the first check anywhere. */
    readonly check: S;
    /** Timed on one thread of a CPU. */
    readonly cpu: S;
    /** Timed on a GPU. */
    readonly gpu: S;
  };
  /** The axis along which the work only repeats: the check at the sizes of a GPU takes an eighth of it. */
  readonly repeats: keyof S & string;
  /** Every input by name; the trained ones have gradients. */
  inputs(sizes: S, draw: Draw): Record<Names, Input>;
  /** Several tensors from an operator without gradients alone. */
  ours(inputs: Record<Names, AnyTensor>, sizes: S): tf.Tensor | readonly tf.Tensor[];
  /** The output in float64; several one behind the other. */
  reference(inputs: Record<Names, Input>, sizes: S): Float64Array;
  /** The gradient of every trained input in float64. Absent where the operator has none: then no input is trained, and only forward is run. */
  gradients?(inputs: Record<Names, Input>, dOutput: Float32Array, sizes: S): Record<string, ArrayLike<number>>;
  /** For what is bound by arithmetic. Memory traffic needs no word: inputs, output and gradients once each. */
  flops?(sizes: S): Flops;
  /** Products of matrices in it run on worker threads where `enableWasmKernels` was given some. */
  readonly threads?: boolean;
  /** How many times as fast as tfjs's ops on stock tfjs-wasm ours should be on a CPU; 1 if nothing is said. */
  readonly bounds?: { readonly forward?: number; readonly both?: number };
  /** On a CPU it, or its pass, runs with `--full`, or by its name: other cases of the short set tell the same. */
  readonly onlyFull?: boolean | 'forward' | 'both';
  /** Whoever would hold up a pass for minutes, by the name in the report, and why. */
  readonly leftOut?: { readonly [Pass in 'forward' | 'both']?: Readonly<Record<string, string>> };
  readonly peers?: {
    /** Composed of tfjs ops, as a user of tfjs alone would. */
    tfjs?(inputs: Record<Names, AnyTensor>, sizes: S): tf.Tensor | readonly tf.Tensor[];
    /** The body of a Python function of the inputs, which returns a tensor, or a tuple of several. It knows `torch`, `F` and every size by name. */
    readonly torch?: string;
    /** As ONNX operators. */
    onnx?(sizes: S): OnnxGraph;
    /** In jax-js, whose functions own their arguments: `x.ref` for a second use. */
    jax?(jax: Jax, inputs: Record<Names, JaxArray>, sizes: S): JaxArray;
  };
}

/** What is run of a case. */
export function passesOf({ gradients }: OperatorCase): ('forward' | 'both')[] {
  return gradients ? ['forward', 'both'] : ['forward'];
}

/** The sizes at which a case is checked before it is timed at `sizes`. */
export function checkedSizes({ repeats }: OperatorCase, sizes: Sizes): Sizes {
  return { ...sizes, [repeats]: Math.ceil(sizes[repeats]! / 8) };
}

/** Lets the compiler see which sizes and inputs a case has; from there on only the case itself knows. */
export function operatorCase<S extends Sizes, Names extends string>(spec: OperatorCase<S, Names>): OperatorCase {
  return spec as unknown as OperatorCase;
}

/** Least bytes that memory has to move: what is read and what is written, once each; backward, what it reads and makes. */
export function leastBytes(inputs: Record<string, Input>, outputSize: number): { forward: number; both: number } {
  const all = Object.values(inputs);
  const size = (chosen: readonly Input[]) => chosen.reduce((sum, { data }) => sum + 4 * data.length, 0);
  const forward = size(all) + 4 * outputSize;
  return { forward, both: forward + size(all) + 4 * outputSize + size(all.filter(({ trained }) => trained)) };
}
