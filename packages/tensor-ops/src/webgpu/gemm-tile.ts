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

/** Speed of a tile that fills the device, relative to the largest: more registers per thread mean fewer reads of workgroup memory. */
export const tiles: readonly (GemmTile & { readonly speed: number })[] = [
  { rows: 128, columns: 128, depth: 8, threadRows: 8, threadColumns: 8, speed: 1 },
  { rows: 128, columns: 64, depth: 8, threadRows: 8, threadColumns: 4, speed: 0.85 },
  { rows: 64, columns: 64, depth: 8, threadRows: 8, threadColumns: 4, speed: 0.75 },
  { rows: 32, columns: 32, depth: 8, threadRows: 4, threadColumns: 4, speed: 0.4 },
  { rows: 8, columns: 128, depth: 8, threadRows: 4, threadColumns: 4, speed: 0.3 },
  { rows: 128, columns: 8, depth: 8, threadRows: 4, threadColumns: 4, speed: 0.3 },
];

/** Threads that fill a large GPU: 132 processors of 256. A smaller one is filled the sooner. */
const FILLING_THREADS = 32768;

/** The shortest part of a split depth: a shorter one costs more in sums of parts than it gains in threads. */
const LEAST_DEPTH = 128;

const MOST_SPLITS = 32;

/** A second program reads every part again. */
const SPLIT_SPEED = 0.9;

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

/**
 * The tile for a product on a device: the one that does the least idle work, fills the device, and fits its limits.
 *
 * @param products - Right operands that share the left one.
 * @throws RangeError if there are too many of them: more than 4 on a stock device.
 */
export function planGemm(size: GemmSize, products: number, limits: GPUSupportedLimits): GemmPlan {
  let best: (GemmPlan & { score: number }) | undefined;
  for (const { speed, ...tile } of tiles) {
    const threads = threadsOf(tile)[0] * threadsOf(tile)[1];
    const fits =
      threads <= limits.maxComputeInvocationsPerWorkgroup &&
      workgroupBytesOf(tile, products) <= limits.maxComputeWorkgroupStorageSize &&
      products * tile.threadRows * tile.threadColumns <= 64;
    if (!fits) continue;
    const workgroups = tilesOf(size, tile);
    const useful = (size.batches * size.rows * size.columns) / (workgroups * tile.rows * tile.columns);
    const wanted = Math.min(FILLING_THREADS / (workgroups * threads), MOST_SPLITS, size.depth / LEAST_DEPTH);
    const needed = Math.ceil(size.depth / LONGEST_DEPTH);
    const room = partialFloats(size, products, limits);
    const splits = Math.max(1, Math.min(Math.max(Math.floor(wanted), needed), room));
    const filled = Math.min(1, (workgroups * threads * splits) / FILLING_THREADS);
    const score = speed * useful * filled * (splits > 1 ? SPLIT_SPEED : 1);
    if (best === undefined || score > best.score) best = { tile, splits, score };
  }
  if (best === undefined)
    throw new RangeError(`planGemm: no tile of this device holds ${products} products in its registers and workgroup memory`);
  return best;
}

/** Parts of the depth whose results one buffer holds. */
function partialFloats({ batches, rows, columns }: GemmSize, products: number, limits: GPUSupportedLimits): number {
  const bytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return Math.floor(bytes / (4 * products * batches * rows * columns));
}
