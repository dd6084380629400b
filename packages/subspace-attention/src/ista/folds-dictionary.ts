/**
 * Whether both products of a step, (x - x D^T) D, are made as one, x (D - D^T D): with rows enough, two products of all rows cost more than one of
 * the dictionary and one of all rows.
 */
export const foldsDictionary = ([rows, dim]: readonly [rows: number, dim: number]): boolean => rows >= dim;
