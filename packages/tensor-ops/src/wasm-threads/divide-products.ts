import { type Part, type ProductStack, wholeProducts } from './product-stack';

/** Rows and columns of a register tile (`assembly/gemm-tile.ts`): a cut elsewhere would fill tiles by halves. */
const tile = { rows: 4, columns: 8 };

/** The shape of a stack of products. */
export type StackShape = Pick<ProductStack, 'products' | 'rows' | 'columns' | 'depth'>;

/**
 * Divides a stack of products into equal shares: whole products as far as they go round, then pieces of the others, cut along the longer side of the
 * output, for a thread needs all of the factor on the other side.
 */
export function divideProducts(stack: ProductStack, threads: number): Part[][] {
  const each = Math.floor(stack.products / threads);
  const shares = Array.from({ length: threads }, (_, i) => wholeProducts(stack, i * each, (i + 1) * each));
  for (let product = each * threads; product < stack.products; product++) {
    const { rows, columns } = stack;
    const side = rows >= columns ? 'rows' : 'columns';
    const cuts = cutEvenly(stack[side], tile[side], threads);
    for (const [i, share] of shares.entries()) {
      const [start, size] = [cuts[i]!, cuts[i + 1]! - cuts[i]!];
      if (size === 0) continue;
      share.push(
        side === 'rows'
          ? { product, row: start, rows: size, column: 0, columns }
          : { product, row: 0, rows, column: start, columns: size },
      );
    }
  }
  return shares;
}

/** Where `count` pieces of a side begin, and its end: at whole tiles. */
function cutEvenly(size: number, unit: number, count: number): number[] {
  const tiles = Math.ceil(size / unit);
  return Array.from({ length: count + 1 }, (_, i) => Math.min(size, unit * Math.round((i * tiles) / count)));
}

/** Flops that one thread does in a millisecond: the slower build on a processor of 2023, so that threads are not used too early elsewhere. */
const flopsPerMs = 35e6;
/** Bytes copied in a millisecond, in or out of shared memory. */
const bytesPerMs = 8e6;
/** Milliseconds to wake a thread and to hear that it is done. */
const wakeMs = 0.03;
/** Milliseconds to describe and copy one part, beside its bytes. */
const partMs = 0.002;
/** Work below this many milliseconds stays on one thread: the gain would drown in the wake-up times of a busy machine. */
const leastMs = 0.3;

/** Whether threads finish a stack clearly sooner than one, what is copied for them included. */
export function threadsPay({ products, rows, columns, depth }: StackShape, threads: number): boolean {
  const alone = (2 * products * rows * columns * depth) / flopsPerMs;
  if (threads < 2 || alone < leastMs) return false;
  const others = (threads - 1) / threads;
  const [left, right, out] = [rows * depth, depth * columns, rows * columns];
  const whole = Math.floor(products / threads) * threads;
  const cut = products - whole;
  const [longer, other] = rows >= columns ? [left, right] : [right, left];
  const bytes = 4 * (whole * others * (left + right + out) + cut * (others * (longer + out) + other));
  const parts = (whole / threads + cut) * (threads - 1);
  return alone / threads + bytes / bytesPerMs + parts * partMs + (threads - 1) * wakeMs < 0.8 * alone;
}
