/** How one workgroup of a matrix product shares out its tile of the result. */
export interface GemmTile {
  /** The tile of the result that a workgroup owns, and how far it steps along the depth between two barriers. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** What one thread accumulates in registers; both are multiples of 4. */
  readonly threadRows: number;
  readonly threadColumns: number;
}

/** The sizes of a stack of matrix products `[batches, rows, depth] x [batches, depth, columns]`. */
export interface GemmSize {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** A tile, and into how many parts, summed by a second program, the depth is split. */
export interface GemmPlan {
  readonly tile: GemmTile;
  readonly splits: number;
}

/** Large ones read each operand less often; small ones, and those for few rows or columns, leave less of a small result idle. */
export const tiles: readonly GemmTile[] = [
  { rows: 128, columns: 128, depth: 8, threadRows: 8, threadColumns: 8 },
  { rows: 128, columns: 64, depth: 8, threadRows: 8, threadColumns: 4 },
  { rows: 64, columns: 64, depth: 8, threadRows: 8, threadColumns: 4 },
  { rows: 32, columns: 32, depth: 8, threadRows: 4, threadColumns: 4 },
  { rows: 8, columns: 128, depth: 8, threadRows: 4, threadColumns: 4 },
  { rows: 128, columns: 8, depth: 8, threadRows: 4, threadColumns: 4 },
];

/** Threads that fill a large GPU: 132 processors of 256. A smaller one is filled the sooner. */
const FILLING_THREADS = 32768;

/** The shortest part of a split depth: a shorter one costs more in sums of parts than it gains in threads. */
const LEAST_DEPTH = 128;

const MOST_SPLITS = 32;

/** A second program reads every part again. */
const SPLIT_COST = 1.1;

/** Products of floats that reading one element of an operand from memory is worth. */
const READ_COST = 16;

/** Sums in float32 lose digits with their length, so a longer depth is split in any case. */
const LONGEST_DEPTH = 8192;

export const threadsOf = (tile: GemmTile): [across: number, along: number] => [
  tile.columns / tile.threadColumns,
  tile.rows / tile.threadRows,
];

/**
 * Elements (of 4 floats) from one step of depth to the next in workgroup memory. One more than a tile's width, so that threads which write neighbours
 * along the depth write to different banks.
 */
export const strideOf = (width: number): number => width / 4 + 1;

/** Bytes of workgroup memory: one left tile and a right one for each product that shares it. */
export const workgroupBytesOf = (tile: GemmTile, products: number): number =>
  16 * tile.depth * (strideOf(tile.rows) + products * strideOf(tile.columns));

const tilesOf = (size: GemmSize, { rows, columns }: GemmTile) =>
  size.batches * Math.ceil(size.rows / rows) * Math.ceil(size.columns / columns);

/** What one thread does per step of depth: products, reads of workgroup memory, and its share of the reads of memory. */
function threadCost({ rows, columns, threadRows, threadColumns }: GemmTile, products: number): number {
  const own = products * threadRows * threadColumns + threadRows + products * threadColumns;
  return own * (1 + READ_COST * (1 / rows + 1 / columns));
}

/**
 * The tile for a product on a device, and the parts of its depth: of those that fit its limits the plan that takes the least time, a device that is not full taking
 * the time of one thread.
 *
 * @param products - Right operands that share the left one.
 * @throws RangeError if there are too many of them: more than 4 on a stock device.
 */
export function planGemm(size: GemmSize, products: number, limits: GPUSupportedLimits): GemmPlan {
  let best: (GemmPlan & { cost: number }) | undefined;
  for (const tile of tiles) {
    const threads = threadsOf(tile)[0] * threadsOf(tile)[1];
    const fits =
      threads <= limits.maxComputeInvocationsPerWorkgroup &&
      workgroupBytesOf(tile, products) <= limits.maxComputeWorkgroupStorageSize &&
      products * tile.threadRows * tile.threadColumns <= 64;
    if (!fits) continue;
    const all = tilesOf(size, tile) * threads;
    const wanted = Math.floor(Math.min(FILLING_THREADS / all, MOST_SPLITS, size.depth / LEAST_DEPTH));
    const needed = Math.ceil(size.depth / LONGEST_DEPTH);
    const splits = Math.max(1, Math.min(Math.max(wanted, needed), mostParts(size, products, limits)));
    const waves = Math.max(1, (all * splits) / FILLING_THREADS);
    const cost = ((waves * threadCost(tile, products)) / splits) * (splits > 1 ? SPLIT_COST : 1);
    if (best === undefined || cost < best.cost) best = { tile, splits, cost };
  }
  if (best === undefined)
    throw new RangeError(`planGemm: no tile of this device holds ${products} products in its registers and workgroup memory`);
  return best;
}

/** Parts of the depth whose results one buffer holds. */
function mostParts({ batches, rows, columns }: GemmSize, products: number, limits: GPUSupportedLimits): number {
  const bytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return Math.floor(bytes / (4 * products * batches * rows * columns));
}
