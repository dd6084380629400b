import { add, concat, matMul, pad, slice, type Tensor, zeros } from '@tensorflow/tfjs-core';

/** A position bias as the composed form reads it: some rows at a time, and their gradients taken in, in order. */
export interface BiasRows {
  /** `[count, sources]`: rows from `begin` on, the first sources of each. */
  rows(begin: number, count: number, sources: number): Tensor;
  /**
   * Adds the gradient of such rows to `sums`, as `rows` would be called; each block of rows comes once.
   *
   * @returns the new sums; the old ones are the caller's to free.
   */
  addGradient(sums: Tensor[], begin: number, dRows: Tensor): Tensor[];
  /** What the sums are before the first block. */
  begin(): Tensor[];
  /** The gradients by name, from the sums after the last block. */
  gradients(sums: Tensor[]): Record<string, Tensor>;
}

const firstRows = (x: Tensor, begin: number, count: number): Tensor => slice(x, [begin, 0], [count, -1]);

/** A table `[target, source]`. */
export function denseRows(positionBias: Tensor): BiasRows {
  const source = positionBias.shape[1]!;
  return {
    rows: (begin, count, sources) => slice(positionBias, [begin, 0], [count, sources]),
    begin: () => [],
    addGradient(sums, _, dRows) {
      const missing: [number, number] = [0, source - dRows.shape[1]!];
      const rows = missing[1] === 0 ? dRows : pad(dRows, [[0, 0], missing]);
      return [sums[0] === undefined ? rows : concat([sums[0], rows], 0)];
    },
    gradients: ([dPositionBias]) => ({ dPositionBias: dPositionBias! }),
  };
}

/** `u v^T`, of which no more than the rows asked for is made. */
export function factoredRows(u: Tensor, v: Tensor): BiasRows {
  const source = v.shape[0]!;
  return {
    rows: (begin, count, sources) => matMul(firstRows(u, begin, count), firstRows(v, 0, sources), false, true),
    begin: () => [zeros(v.shape)],
    addGradient([dV, dU], begin, dRows) {
      const sources = dRows.shape[1]!;
      const rows = matMul(dRows, firstRows(v, 0, sources));
      const received = matMul(dRows, firstRows(u, begin, dRows.shape[0]!), true, false);
      const grown =
        sources === source
          ? received
          : pad(received, [
              [0, source - sources],
              [0, 0],
            ]);
      return [add(dV!, grown), dU === undefined ? rows : concat([dU, rows], 0)];
    },
    gradients: ([dV, dU]) => ({ dU: dU!, dV: dV! }),
  };
}
