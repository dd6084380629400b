import type { SeededRandom } from '@mixfold/testing';

/** Random edges, unsorted, some of them twice; the first `idle` outputs have none. */
export function randomEdges(
  random: SeededRandom,
  count: number,
  { terms, inputSize, outputSize, idle = 0 }: { terms: number; inputSize: number; outputSize: number; idle?: number },
): { source: number[]; target: number[]; term: number[] } {
  const draw = (below: number, from = 0) => Array.from({ length: count }, () => from + random.integer(below - from));
  const edges = { source: draw(inputSize), target: draw(outputSize, idle), term: draw(terms) };
  if (count > 2) for (const ends of Object.values(edges)) ends[count - 1] = ends[0]!;
  // Every graph has an edge, or there would be fewer.
  edges.term[0] = terms - 1;
  if (count > 2) edges.term[count - 1] = terms - 1;
  return edges;
}
