import type { Tensor } from '@tensorflow/tfjs-core';
import { show } from './check-options';
import { DTypeError } from './errors';

/**
 * Refuses what is not a tensor, has been disposed, or holds another element type.
 *
 * @param allowed - The element types that will do.
 * @throws DTypeError naming the argument, what it must be, what it is, and the cure if there is one.
 */
export function checkTensor(
  functionName: string,
  name: string,
  value: unknown,
  allowed: readonly string[],
): asserts value is Tensor {
  const tensor = value as Tensor | undefined;
  if (!Array.isArray(tensor?.shape) || tensor.dataId === undefined) {
    throw new DTypeError(`${functionName}: ${name} must be a Tensor, got ${show(value)}`);
  }
  if (tensor.isDisposed) throw new DTypeError(`${functionName}: ${name} has been disposed`);
  if (!allowed.includes(tensor.dtype)) {
    // 'operand 2' is no variable.
    const variable = /^\w+$/.test(name) ? name : '';
    const cure = allowed.length === 1 ? `; cast it with ${variable}.cast('${allowed[0]}')` : '';
    throw new DTypeError(`${functionName}: ${name} must be ${allowed.join(' or ')}, got ${tensor.dtype}${cure}`);
  }
}
