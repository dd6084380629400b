import { type Array64, checkTensor, DTypeError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor } from '@tensorflow/tfjs-core';

/** Numbers to measure: a tensor on any backend, or float64 numbers in C order with their shape. */
export type Values = Tensor | Array64;

/**
 * The numbers in float64.
 *
 * @param axes - what the axes are called, `'tokens dim'`, one string per number of axes that will do.
 * @throws ShapeError for another number of axes; DTypeError for anything else than float32 tensors and finite numbers.
 */
export async function readValues(functionName: string, name: string, value: Values, axes: readonly string[]): Promise<Array64> {
  const isPlain = value !== null && typeof value === 'object' && !('dataId' in value) && 'data' in value && 'shape' in value;
  if (!isPlain) checkTensor(functionName, name, value, ['float32']);
  const { shape } = value;
  if (!axes.some((words) => words.split(' ').length === shape.length)) {
    const wanted = axes.map((words) => `[${words}]`).join(' or ');
    throw new ShapeError(`${functionName}: ${name} must be ${wanted}, got shape [${shape.join(', ')}]`);
  }
  const data = Float64Array.from(isPlain ? (value as Array64).data : await (value as Tensor).data());
  if (data.length !== shape.reduce((size, length) => size * length, 1)) {
    throw new ShapeError(`${functionName}: ${name} has shape [${shape.join(', ')}] but ${data.length} numbers`);
  }
  const bad = data.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new DTypeError(`${functionName}: ${name} must hold finite numbers, got ${data[bad]} at place ${bad}`);
  return { shape: [...shape], data };
}

/** The parts of `value` along its first axis. */
export function parts({ shape: [count, ...shape], data }: Array64): Array64[] {
  const size = shape.reduce((product, length) => product * length, 1);
  return Array.from({ length: count! }, (_, i) => ({ shape, data: data.subarray(i * size, (i + 1) * size) }));
}

/** Tokens `[batch, tokens, dim]`, or `[tokens, dim]` as a batch of one. */
export const asBatch = ({ shape, data }: Array64): Array64 => ({ shape: shape.length === 2 ? [1, ...shape] : shape, data });

/** One number per sample, or the number itself where there was no batch. */
export const unlessBatched = (value: Values, numbers: number[]): number | number[] =>
  value.shape.length === 2 ? numbers[0]! : numbers;
