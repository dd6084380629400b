import { add, clone, matMul, outerProduct, reshape, type Tensor1D, type Tensor2D, tensor1d } from '@tensorflow/tfjs-core';
import { withGradient } from './with-gradient';

/**
 * Adds a position to the key: `key + slope_c position`, a learned slope for every channel.
 *
 * AFT-simple has no sense of position. Under its causal normalisation this key makes a learned exponential recency, still
 * AFT-simple to the letter:
 *
 * $$ \frac{\sum_{t' \le t} e^{K_{t'} + s t'} V_{t'}}{\sum_{t' \le t} e^{K_{t'} + s t'}} = \frac{\sum_{t' \le t} e^{K_{t'} - s (t - t')} V_{t'}}{\sum_{t' \le t} e^{K_{t'} - s (t - t')}} $$
 *
 * A slope of 0 averages all the past, a slope of 2 nats hardly looks beyond the previous token. Only differences of positions
 * count.
 *
 * @param key - `[batch * time, dim]`, rows of one sequence next to each other.
 * @param slope - `[dim]`, nats per token.
 * @param positions - `[time]`, the position of every row of a sequence.
 */
export function recencyKey(key: Tensor2D, slope: Tensor1D, positions: readonly number[]): Tensor2D {
  const addPosition = withGradient(
    (x: Tensor2D, slopes: Tensor1D) => {
      const [rows, dim] = x.shape;
      const time = positions.length;
      const bias = outerProduct(tensor1d([...positions]), slopes);
      const value = reshape(add(reshape(x, [rows / time, time, dim]), bias), [rows, dim]) as Tensor2D;
      return { value, saved: [] };
    },
    (dOutput) => [clone(dOutput), slopeGradient(dOutput, positions)],
  );
  return addPosition(key, slope);
}

function slopeGradient(dOutput: Tensor2D, positions: readonly number[]): Tensor1D {
  const [rows, dim] = dOutput.shape;
  const perRow = Float32Array.from({ length: rows }, (_, row) => positions[row % positions.length]!);
  return reshape(matMul(reshape(tensor1d(perRow), [1, rows]) as Tensor2D, dOutput), [dim]) as Tensor1D;
}
