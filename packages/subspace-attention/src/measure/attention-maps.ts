import { ShapeError } from '@mixfold/tensor-ops';
import { readValues, type Values } from './read-values';

/**
 * How widely each head attends: the mean entropy of its rows, in nats. 0 where every row attends to one token, `log(source)` where to all alike.
 *
 * @param maps - attention maps `[batch, heads, target, source]`, as `mssaAttention` gives them; a tensor, or float64 numbers with their shape.
 * @returns One number per head; rows that attend to nothing do not count, and a head of such rows alone has NaN.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 */
export async function attentionEntropy(maps: Values): Promise<number[]> {
  return meanOverRows('attentionEntropy', maps, (row) =>
    row.reduce((entropy, weight) => (weight > 0 ? entropy - weight * Math.log(weight) : entropy), 0),
  );
}

/**
 * How much each token attends to itself: the mean of the diagonal of each head's maps. Where query and key are one projection, as in MSSA, a token is
 * often its own best match, and little is mixed.
 *
 * @param maps - attention maps `[batch, heads, tokens, tokens]`; a tensor, or float64 numbers with their shape.
 * @returns One number per head, 0 to 1; rows that attend to nothing do not count.
 * @throws ShapeError if the maps are not square; DTypeError, also for numbers that are not finite.
 */
export async function selfWeight(maps: Values): Promise<number[]> {
  if (maps?.shape?.length === 4 && maps.shape[2] !== maps.shape[3]) {
    throw new ShapeError(`selfWeight: maps must be square, got shape [${maps.shape.join(', ')}]`);
  }
  return meanOverRows('selfWeight', maps, (row, target) => row[target]!);
}

async function meanOverRows(
  functionName: string,
  maps: Values,
  measure: (row: Float64Array, target: number) => number,
): Promise<number[]> {
  const { shape, data } = await readValues(functionName, 'maps', maps, ['batch heads target source']);
  const [batch, heads, target, source] = shape as [number, number, number, number];
  return Array.from({ length: heads }, (_, head) => {
    let [sum, rows] = [0, 0];
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < target; t++) {
        const at = ((b * heads + head) * target + t) * source;
        const row = data.subarray(at, at + source);
        if (row.every((weight) => weight === 0)) continue;
        sum += measure(row, t);
        rows++;
      }
    }
    return sum / rows;
  });
}
