import { leftOf, outOf, type Part, type ProductStack, rightOf, type StoredMatrix } from './product-stack';

/** A matrix that goes from the heap to a place in the memory of the threads, or back, without the gaps between its rows. */
interface Copy {
  readonly heap: StoredMatrix;
  readonly staged: number;
}

/** Words of a product's arguments, see `gemmMany`. */
const callWords = 11;

/** A vector load that crosses a cache line costs two; and what two threads write is not to share one. */
const alignment = 64;

/** Where everything that the workers read and write lies in their memory, which tfjs's heap has no part in. */
export interface Staging {
  readonly bytes: number;
  readonly operands: readonly Copy[];
  /** By worker. */
  readonly workers: readonly {
    readonly calls: number;
    /** The arguments of the worker's products. */
    readonly words: Int32Array;
    readonly count: number;
    readonly results: readonly Copy[];
  }[];
}

/** Places the shares of the workers; what several read is placed once. */
export function planStaging(stack: ProductStack, shares: readonly Part[][]): Staging {
  let end = 0;
  const place = (bytes: number) => {
    const start = end;
    end = Math.ceil((start + bytes) / alignment) * alignment;
    return start;
  };
  const operands: Copy[] = [];
  const placed = new Map<string, number>();
  const operand = (heap: StoredMatrix): number => {
    const key = `${heap.address} ${heap.rows} ${heap.width}`;
    const before = placed.get(key);
    if (before !== undefined) return before;
    const staged = place(4 * heap.rows * heap.width);
    placed.set(key, staged);
    operands.push({ heap, staged });
    return staged;
  };
  /** The numbers of the columns of a part, from a vector with one for each column. */
  const perColumn = (vector: number, { column, columns }: Part): number =>
    vector === 0 ? 0 : operand({ address: vector + 4 * column, stride: 4 * columns, rows: 1, width: columns });
  // Address 0 means that there is no bias.
  place(alignment);
  const workers = shares.map((parts) => {
    const scratch = place(stack.scratchBytes);
    const calls = place(4 * callWords * parts.length);
    const words = new Int32Array(callWords * parts.length);
    const results = parts.map((part, i) => {
      const [left, right, out] = [leftOf(stack, part), rightOf(stack, part), outOf(stack, part)];
      const staged = place(4 * out.rows * out.width);
      words.set(
        [
          operand(left),
          4 * left.width,
          operand(right),
          4 * right.width,
          staged,
          4 * out.width,
          part.rows,
          part.columns,
          perColumn(stack.bias, part),
          perColumn(stack.slopes, part),
          scratch,
        ],
        callWords * i,
      );
      return { heap: out, staged };
    });
    return { calls, words, count: parts.length, results };
  });
  return { bytes: end, operands, workers };
}

/** Copies a matrix, in four-byte words; `heap` and `staged` are views of the two memories. */
export function stage(heap: Int32Array, staged: Int32Array, copy: Copy): void {
  transfer(copy, (from, to, words) => staged.set(heap.subarray(from, from + words), to));
}

/** Copies a matrix back. */
export function unstage(heap: Int32Array, staged: Int32Array, copy: Copy): void {
  transfer(copy, (to, from, words) => heap.set(staged.subarray(from, from + words), to));
}

function transfer(
  { heap: { address, stride, rows, width }, staged }: Copy,
  run: (heap: number, staged: number, words: number) => void,
): void {
  const [runs, words] = stride === 4 * width ? [1, rows * width] : [rows, width];
  for (let i = 0; i < runs; i++) run((address + i * stride) / 4, staged / 4 + i * words, words);
}
