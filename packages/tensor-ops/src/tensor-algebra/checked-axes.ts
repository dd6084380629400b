import type { Tensor } from '@tensorflow/tfjs-core';
import { show } from '../check-options';
import { checkTensor } from '../check-tensor';
import { OptionError, ShapeError } from '../errors';
import { axisWithin } from '../lines/lines';

/** The shape of a float32 tensor; anything else is refused. */
export function floatShape(functionName: string, name: string, value: Tensor): readonly number[] {
  checkTensor(functionName, name, value, ['float32']);
  return value.shape;
}

/** An axis of `shape` counted from 0; a negative one counts from the end. */
export function checkedAxis(functionName: string, name: string, axis: number, shape: readonly number[]): number {
  const rank = shape.length;
  const found = axisWithin(axis, rank);
  if (found !== undefined) return found;
  const range = rank === 0 ? 'a scalar has no axes' : `${-rank} to ${rank - 1} for shape [${shape.join(', ')}]`;
  throw new OptionError(`${functionName}: ${name} must be an axis (${range}), got ${show(axis)}`);
}

/** A list of axes, none of them twice. */
export function checkedAxes(functionName: string, name: string, axes: readonly number[], shape: readonly number[]): number[] {
  if (!Array.isArray(axes)) throw new OptionError(`${functionName}: ${name} must be an array of axes, got ${show(axes)}`);
  const checked = axes.map((axis: number, i) => checkedAxis(functionName, `${name}[${i}]`, axis, shape));
  checked.forEach((axis, i) => {
    if (checked.indexOf(axis) < i) throw new OptionError(`${functionName}: ${name} names axis ${axis} twice`);
  });
  return checked;
}

/** A shape given by the user. */
export function checkedShape(functionName: string, shape: readonly number[], name = 'shape'): readonly number[] {
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    const found = Array.isArray(shape) ? `[${shape.join(', ')}]` : show(shape);
    throw new ShapeError(`${functionName}: ${name} must be an array of sizes, got ${found}`);
  }
  return shape;
}
