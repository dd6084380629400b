// The working memory of the sums over sources of AFT-full, and where in it what stands.
import { takeBias } from './full-bias';
import { BLOCK, blocksOf, call, ROWS, take } from './full-call';
import { takeDirect } from './full-direct';
import { references } from './full-sources';
import { takeTiles } from './full-tiles';

export namespace space {
  /** All sources, packed block by block or tile by tile. */
  export let sources: usize = 0;
  /** Whether by tiles, and how many sources are packed so far. */
  export let tiled: bool = false;
  export let packed: i32 = 0;
  /** The sources of a causal block for its own targets, their references, and which block that is. */
  export let own: usize = 0;
  export let ownReferences: usize = 0;
  export let ownBlock: i32 = 0;
  export let weights: usize = 0;
  /** `[ROWS, panels, 8]`. */
  export let sums: usize = 0;
  /** What sums of tiles are relative to, whole numbers relative to the row's and the channel's: `[ROWS, panels]` vectors. */
  export let levels: usize = 0;
  /** Four rows of one panel. */
  export let few: usize = 0;
  /** The largest bias of each row. */
  export let largest: usize = 0;
}

export function takeSpace(): void {
  const panels = <usize>call.panels;
  references.row = panels << 4;
  references.all = take((panels * (blocksOf(call.source) + 1)) << 2);
  space.sources = take(panels * 8 * call.source);
  space.weights = take(ROWS * BLOCK);
  space.sums = take(panels * 8 * ROWS);
  space.levels = take(panels * 4 * ROWS);
  space.few = take(32);
  space.largest = take(ROWS);
  if (call.causal) space.own = take(panels * 8 * BLOCK);
  space.ownReferences = take(panels << 2);
  takeDirect();
  takeBias(false);
  takeTiles();
}
