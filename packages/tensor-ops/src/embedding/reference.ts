/** Rows of `[classes, dim]` by id; 0 for an id outside. */
export function embeddingReference(table: ArrayLike<number>, ids: ArrayLike<number>, classes: number, dim: number): Float64Array {
  const output = new Float64Array(ids.length * dim);
  for (let i = 0; i < output.length; i++) {
    const id = ids[Math.floor(i / dim)]!;
    if (id >= 0 && id < classes) output[i] = table[id * dim + (i % dim)]!;
  }
  return output;
}

/** The gradient of the table. */
export function embeddingGradientReference(
  dOutput: ArrayLike<number>,
  ids: ArrayLike<number>,
  classes: number,
  dim: number,
): Float64Array {
  const dTable = new Float64Array(classes * dim);
  for (let i = 0; i < dOutput.length; i++) {
    const id = ids[Math.floor(i / dim)]!;
    if (id >= 0 && id < classes) dTable[id * dim + (i % dim)]! += dOutput[i]!;
  }
  return dTable;
}
