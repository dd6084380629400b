import { type Array64, svd64 } from '@mixfold/tensor-ops';

/** The pseudo-inverse of the matrix whose columns are the members of a family, and what is known of the family. */
export interface PseudoInverse {
  /** `[terms, size]`: row k gives the coefficient of member k. */
  readonly rows: Array64;
  /** The largest first. */
  readonly singularValues: Float64Array;
  readonly rank: number;
  /** The largest singular value over the smallest of the smaller side: Infinity if that is 0, 1 for nothing. */
  readonly conditionNumber: number;
}

/**
 * From members as the rows of `[terms, size]`. An orthogonal family, such as one of shifts, needs no decomposition: each member over its square.
 *
 * @param rcond - Singular values up to this share of the largest count as 0.
 */
export function pseudoInverse(members: Array64, rcond: number | undefined): PseudoInverse {
  const [terms, size] = members.shape as [number, number];
  const share = rcond ?? Math.max(terms, size) * Number.EPSILON;
  const squares = orthogonalSquares(members);
  if (squares !== null) {
    const singularValues = squares.map(Math.sqrt).sort((a, b) => b - a);
    const least = share * (singularValues[0] ?? 0);
    const data = members.data.map((x, i) => {
      const square = squares[Math.floor(i / size)]!;
      return Math.sqrt(square) > least ? x / square : 0;
    });
    return { rows: { shape: [terms, size], data }, ...ranked(singularValues, least) };
  }
  const { u, s, v } = svd64(members);
  const least = share * (s[0] ?? 0);
  const data = new Float64Array(terms * size);
  for (let j = 0; j < s.length && s[j]! > least; j++) {
    for (let k = 0; k < terms; k++) {
      const left = u.data[k * s.length + j]! / s[j]!;
      for (let i = 0; i < size; i++) data[k * size + i]! += left * v.data[i * s.length + j]!;
    }
  }
  return { rows: { shape: [terms, size], data }, ...ranked(s, least) };
}

function ranked(singularValues: Float64Array, least: number) {
  const [largest, smallest] = [singularValues[0], singularValues.at(-1)];
  return {
    singularValues,
    rank: singularValues.filter((value) => value > least).length,
    conditionNumber: largest === undefined ? 1 : smallest === 0 ? Number.POSITIVE_INFINITY : largest / smallest!,
  };
}

/** The squared lengths of the members if they are orthogonal to rounding, and none too many to be. */
function orthogonalSquares({ shape, data }: Array64): Float64Array | null {
  const [terms, size] = shape as [number, number];
  if (terms > size) return null;
  const inner = (k: number, l: number) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += data[k * size + i]! * data[l * size + i]!;
    return sum;
  };
  const squares = Float64Array.from({ length: terms }, (_, k) => inner(k, k));
  for (let k = 0; k < terms; k++) {
    for (let l = 0; l < k; l++) {
      if (Math.abs(inner(k, l)) > Number.EPSILON * Math.sqrt(squares[k]! * squares[l]!)) return null;
    }
  }
  return squares;
}
