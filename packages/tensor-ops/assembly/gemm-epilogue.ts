import { expm1, loadLanes, maximum, minimum, sigmoid, splat, storeLanes } from './math';

/** What is done to a finished element; the numbers are part of the module's interface (`src/wasm-kernels/gemm.ts`). */
export namespace Activation {
  export const LINEAR: i32 = 0;
  export const RELU: i32 = 1;
  export const RELU6: i32 = 2;
  export const PRELU: i32 = 3;
  export const LEAKY_RELU: i32 = 4;
  export const SIGMOID: i32 = 5;
  export const ELU: i32 = 6;
}

/**
 * out = activation(out + bias), in place, on `rows` x `columns` whose rows are `outRow` bytes apart.
 *
 * @param bias - one float per column, or 0 for none. @param slopes - one float per column, of `PRELU`. @param slope - of `LEAKY_RELU`.
 */
export function finish(
  out: usize, outRow: usize, rows: i32, columns: i32, bias: usize, activation: i32, slope: f32, slopes: usize,
): void {
  if (!bias && activation == Activation.LINEAR) return;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j += 4) {
      const count = columns - j;
      const at = out + (<usize>j << 2);
      let x = loadLanes(at, count);
      if (bias) x = f32x4.add(x, loadLanes(bias + (<usize>j << 2), count));
      if (activation == Activation.PRELU) x = leak(x, loadLanes(slopes + (<usize>j << 2), count));
      else x = activate(x, activation, slope);
      storeLanes(at, x, count);
    }
    out += outRow;
  }
}

// @ts-ignore: decorator
@inline
function activate(x: v128, activation: i32, slope: f32): v128 {
  if (activation == Activation.RELU) return maximum(x, splat(0));
  if (activation == Activation.RELU6) return minimum(maximum(x, splat(0)), splat(6));
  if (activation == Activation.LEAKY_RELU) return leak(x, splat(slope));
  if (activation == Activation.SIGMOID) return sigmoid(x);
  if (activation == Activation.ELU) return v128.bitselect(expm1(x), x, f32x4.lt(x, splat(0)));
  return x;
}

// @ts-ignore: decorator
@inline
function leak(x: v128, slope: v128): v128 {
  return v128.bitselect(f32x4.mul(x, slope), x, f32x4.lt(x, splat(0)));
}
