// The working memory of the gradient of AFT-full, and where in it what stands.
import { takeBias } from './full-bias';
import { BLOCK, blocksOf, call, PAIR, ROWS, roundUp, take } from './full-call';
import { takeDirect } from './full-direct';
import { references } from './full-sources';
import { TILE, takeTiles } from './full-tiles';

/** Panels of channels that one product over channels sums before it adds to what there is. */
export const CHUNK: i32 = 32;

export namespace space {
  /** A value in the midst of each channel's. */
  export let centres: usize = 0;
  /** What targets receive, r and -r O, packed block by block as right factors of sums over targets. */
  export let received: usize = 0;
  /** The same of a few targets, as left factors of sums over channels; chunk by chunk. */
  export let receivedRows: usize = 0;
  /** e^key value and e^key of all sources, as right factors of sums over channels; chunk by chunk. */
  export let sources: usize = 0;
  export let weights: usize = 0;
  /** `[ROWS, panels, 8]`. */
  export let sums: usize = 0;
  /** The largest bias of each target. */
  export let largest: usize = 0;
  /** `[ROWS, BLOCK]` of the gradient of the bias. */
  export let tile: usize = 0;
  /** Whether `sources` are relative to tiles. */
  export let tiled: bool = false;
  /** Of each block of targets, whether some of it is in `received`. */
  export let some: usize = 0;
  /** Of a few targets: what they receive relative to a tile, and the logs of their denominators, `[panels, ROWS]` vectors. */
  export let tileReceived: usize = 0;
  export let logs: usize = 0;
  /** What sums over channels or targets of it are to be multiplied by. */
  export let unit: f32 = 0.0;
  /** The sums of a tile over targets, `[TILE, panels, 8]`. */
  export let tileSums: usize = 0;
}

export function takeSpace(): void {
  const panels = <usize>call.panels;
  references.row = panels << 4;
  references.all = take((panels * (blocksOf(call.source) + 1)) << 2);
  space.centres = take(panels << 2);
  space.received = take(panels * 8 * call.target);
  space.receivedRows = take(panels * 8 * ROWS);
  space.sources = take(panels * 8 * roundUp(call.source, 8));
  space.weights = take(ROWS * BLOCK);
  space.sums = take(panels * 8 * ROWS);
  space.largest = take(call.target);
  space.tile = take(ROWS * BLOCK);
  space.some = take(blocksOf(call.target));
  space.tileReceived = take(panels * 8 * ROWS);
  space.logs = take(panels * 4 * ROWS);
  space.tileSums = take(panels * 8 * TILE);
  takeDirect();
  takeTiles();
  takeBias(true);
}

// @ts-ignore: decorator
@inline
export function blockBytes(): usize {
  return <usize>call.panels * PAIR * BLOCK;
}

/** Address of the panels of the eight sources from `source` on, within a chunk whose panels begin at `panel`. */
// @ts-ignore: decorator
@inline
export function chunkOfSources(panel: i32): usize {
  return space.sources + <usize>panel * roundUp(call.source, 8) * PAIR;
}

// @ts-ignore: decorator
@inline
export function centred(x: v128, panel: i32): v128 {
  return f32x4.sub(x, v128.load(space.centres + (<usize>panel << 4)));
}
