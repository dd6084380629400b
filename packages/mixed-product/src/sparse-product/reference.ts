/** Edges of graphs, by number. */
export interface ReferenceEdges {
  readonly source: ArrayLike<number>;
  readonly target: ArrayLike<number>;
  readonly term: ArrayLike<number>;
}

/** The matrices `A [terms, inputSize, outputSize]` that weighted edges stand for; edges that stand twice add. In float64. */
export function matricesOfEdges(
  { source, target, term }: ReferenceEdges,
  weight: ArrayLike<number>,
  [terms, inputSize, outputSize]: readonly [number, number, number],
): Float64Array {
  const matrices = new Float64Array(terms * inputSize * outputSize);
  for (let e = 0; e < source.length; e++) {
    matrices[(term[e]! * inputSize + source[e]!) * outputSize + target[e]!]! += weight[e]!;
  }
  return matrices;
}

/** Softmax of `scores [edges]` over the edges that end in one row. */
export function edgeSoftmaxReference(scores: ArrayLike<number>, row: ArrayLike<number>): Float64Array {
  const of = (i: number) => Array.from(scores).filter((_, e) => row[e] === i);
  return Float64Array.from(Array.from(scores), (score, e) => {
    const all = of(row[e]!);
    const largest = Math.max(...all);
    return Math.exp(score - largest) / all.reduce((sum, other) => sum + Math.exp(other - largest), 0);
  });
}
