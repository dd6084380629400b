import { OptionError } from '../errors';
import type { WasmBackend } from '../wasm/index';
import { canMove, mergeRuns, moveRuns, stepsOf } from './move-blocks';
import { type Replacement, sameData, sizeOf } from './replacement';

/** tfjs's kernel `Transpose`, for any rank: axes that stay neighbours move as one, and what then stays as it was is not copied. */
export const transpose: Replacement = (stock) => (call) => {
  const x = call.inputs.x!;
  const order = call.attrs?.perm as number[];
  const isOrder = Array.isArray(order) && order.length === x.shape.length && x.shape.every((_, axis) => order.includes(axis));
  if (!isOrder) {
    throw new OptionError(`transpose: perm must be an order of the ${x.shape.length} axes of x, is [${String(order)}]`);
  }
  const wasm = call.backend as WasmBackend;
  const shape = order.map((axis) => x.shape[axis]!);
  const steps = stepsOf(x.shape);
  const runs = mergeRuns(order.map((axis) => ({ size: x.shape[axis]!, step: steps[axis]! })));
  if (x.dtype === 'string' || !canMove(x, runs)) return stock!(call);
  if (runs.length < 2) return sameData(wasm, x, shape);
  const out = wasm.makeOutput(shape, x.dtype);
  if (sizeOf(x) > 0) moveRuns(wasm, x, 0, runs, out);
  return out;
};
