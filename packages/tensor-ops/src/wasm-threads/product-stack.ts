/** A stack of matrix products of one form on tfjs's heap, as the kernel `gemm` takes them; addresses in bytes. */
export interface ProductStack {
  readonly products: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Whether memory holds `[depth, rows]`. */
  readonly transposeA: boolean;
  /** Whether memory holds `[columns, depth]`. */
  readonly transposeB: boolean;
  /** The left factor of product i. */
  a(i: number): number;
  b(i: number): number;
  out(i: number): number;
  /** One float per column, or 0 for none. */
  readonly bias: number;
  /** A code of `assembly/gemm-epilogue.ts`. */
  readonly activation: number;
  readonly slope: number;
  /** One float per column, or 0 for none. */
  readonly slopes: number;
  /** Working memory that a thread needs. */
  readonly scratchBytes: number;
}

/** A rectangle of one product of a stack. */
export interface Part {
  readonly product: number;
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly columns: number;
}

/** A matrix in memory: the address of its first element, bytes between its rows, how many rows there are, and floats in each. */
export interface StoredMatrix {
  readonly address: number;
  readonly stride: number;
  readonly rows: number;
  readonly width: number;
}

/** The rows of the left factor that a part reads. */
export function leftOf({ a, transposeA, rows, depth }: ProductStack, part: Part): StoredMatrix {
  const start = a(part.product);
  return transposeA
    ? { address: start + 4 * part.row, stride: 4 * rows, rows: depth, width: part.rows }
    : { address: start + 4 * part.row * depth, stride: 4 * depth, rows: part.rows, width: depth };
}

/** The columns of the right factor that a part reads. */
export function rightOf({ b, transposeB, columns, depth }: ProductStack, part: Part): StoredMatrix {
  const start = b(part.product);
  return transposeB
    ? { address: start + 4 * part.column * depth, stride: 4 * depth, rows: part.columns, width: depth }
    : { address: start + 4 * part.column, stride: 4 * columns, rows: depth, width: part.columns };
}

/** What a part writes. */
export function outOf({ out, columns }: ProductStack, part: Part): StoredMatrix {
  const address = out(part.product) + 4 * (part.row * columns + part.column);
  return { address, stride: 4 * columns, rows: part.rows, width: part.columns };
}

/** The kernel `gemm`. */
export type Gemm = (...args: number[]) => number;

/** Runs parts of a stack where they lie. */
export function multiplyParts(gemm: Gemm, stack: ProductStack, parts: readonly Part[], scratch: number): void {
  const { transposeA, transposeB, depth, bias, activation, slope, slopes } = stack;
  for (const part of parts) {
    const [left, right, out] = [leftOf(stack, part), rightOf(stack, part), outOf(stack, part)];
    const first = 4 * part.column;
    gemm(
      left.address,
      Number(transposeA),
      left.stride,
      right.address,
      Number(transposeB),
      right.stride,
      out.address,
      out.stride,
      part.rows,
      part.columns,
      depth,
      bias && bias + first,
      activation,
      slope,
      slopes && slopes + first,
      scratch,
    );
  }
}

/** Every product of a stack, undivided. */
export function wholeProducts({ rows, columns }: ProductStack, first: number, end: number): Part[] {
  return Array.from({ length: end - first }, (_, i) => ({ product: first + i, row: 0, rows, column: 0, columns }));
}
