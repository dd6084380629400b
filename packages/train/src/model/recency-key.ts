import { add, customGrad, type GradSaveFunc, matMul, outerProduct, reshape, type Tensor, type Tensor1D, type Tensor2D, tensor1d } from '@tensorflow/tfjs-core';

/**
 * Adds a position to the key: `key + slope_c position`, a learned slope for every channel.
 *
 * AFT-simple has no sense of position. Under its causal normalisation this key makes a learned exponential recency, still AFT-simple to the letter:
 *
 * $$ \frac{\sum_{t' \le t} e^{K_{t'} + s t'} V_{t'}}{\sum_{t' \le t} e^{K_{t'} + s t'}} = \frac{\sum_{t' \le t} e^{K_{t'} - s (t - t')} V_{t'}}{\sum_{t' \le t} e^{K_{t'} - s (t - t')}} $$
 *
 * A slope of 0 averages all the past, a slope of 2 nats hardly looks beyond the previous token. Only differences of positions count.
 *
 * @param key - `[batch * time, dim]`, rows of one sequence next to each other.
 * @param slope - `[dim]`, nats per token.
 * @param positions - `[time]`, the position of every row of a sequence.
 */
export function recencyKey(key: Tensor2D, slope: Tensor1D, positions: readonly number[]): Tensor2D {
  const addPosition = customGrad((...args: unknown[]) => {
    const [x, slopes, save] = args as [Tensor2D, Tensor1D, GradSaveFunc];
    const time = positions.length;
    const [rows, dim] = x.shape;
    const bias = outerProduct(tensor1d(positions as number[]), slopes);
    const value = reshape(add(reshape(x, [rows / time, time, dim]), bias), [rows, dim]);
    save([]);
    return { value, gradFunc: (dOutput: Tensor2D) => [dOutput.clone(), slopeGradient(dOutput, positions)] as Tensor[] };
  }) as unknown as (x: Tensor2D, slopes: Tensor1D) => Tensor2D;
  return addPosition(key, slope);
}

function slopeGradient(dOutput: Tensor2D, positions: readonly number[]): Tensor1D {
  const [rows, dim] = dOutput.shape;
  const perRow = Float32Array.from({ length: rows }, (_, row) => positions[row % positions.length]!);
  return reshape(matMul(reshape(tensor1d(perRow), [1, rows]), dOutput), [dim]);
}
