// Tiles of sources for AFT-full where a whole row and a whole channel are too much for one reference: each tile has its own largest key per channel and
// largest bias per row. They are whole numbers, so exponents add and cancel without rounding.
import { splat } from '../../tensor-ops/assembly/math';
import { biasRows } from './full-bias';
import { call, loadChannels, ROWS, roundUp, take } from './full-call';
import { findOwnReferences, largestKeys, references } from './full-sources';
import { exists, NONE } from './sources';

/** Sources of a tile. Divides ROWS. */
export const TILE: i32 = 16;

/** From so many sources on tiles are used, where more than one element in RARE is beyond a product over all sources. */
const LEAST_SOURCES: i32 = 64;
const RARE: i32 = 64;

/** The log of how far the references of a tile may exceed what its elements are relative to: more, and what underflows in the tile would count. */
export const REACH: f32 = 46.0;

/** A tile whose references are so far below is nothing. */
export const NOTHING: f32 = -28.0;

export namespace tiles {
  /** Largest key of each tile and channel, rounded: a vector per tile and panel. */
  export let keys: usize = 0;
  /** A whole number near the keys of each channel; a key that a causal target does not see has no part in it. */
  export let base: usize = 0;
  /** Largest bias in each tile of each row, rounded, `[tiles, ROWS]`; the same relative to that of the row; the source where it stands. */
  export let biases: usize = 0;
  export let relative: usize = 0;
  export let places: usize = 0;
  /** Largest bias of each row, rounded. */
  export let rows: usize = 0;
  /** A vector per panel. */
  export let level: usize = 0;
  /** Elements that have been computed in tiles, and exponents of these that had to be computed one by one. */
  export let elements: i32 = 0;
  export let exponents: f64 = 0;
}

// @ts-ignore: decorator
@inline
export function tilesOf(length: i32): i32 {
  return (length + TILE - 1) / TILE;
}

/** Whether `beyond` elements of `count` targets are too many to be computed one by one. */
export function isCrowded(beyond: i32, count: i32): bool {
  return call.source >= LEAST_SOURCES && beyond > count * call.batch * call.dim / RARE;
}

export function takeTiles(): void {
  const count = <usize>tilesOf(call.source);
  tiles.keys = take((<usize>call.panels << 2) * count);
  tiles.base = take(<usize>call.panels << 2);
  tiles.biases = take(count * ROWS);
  tiles.relative = take(count * ROWS);
  tiles.places = take(count * ROWS);
  tiles.rows = take(ROWS);
  tiles.level = take(<usize>call.panels << 2);
  tiles.elements = 0;
  tiles.exponents = 0;
}

export function findBase(): void {
  if (call.causal) findOwnReferences(0, tiles.base);
  else memory.copy(tiles.base, largestKeys(), references.row);
  for (let at = tiles.base; at < tiles.base + references.row; at += 16) {
    const key = v128.load(at);
    v128.store(at, v128.andnot(f32x4.nearest(key), f32x4.eq(key, splat(NONE))));
  }
}

// @ts-ignore: decorator
@inline
export function keysOf(tile: i32): usize {
  return tiles.keys + references.row * tile;
}

/** Finds the largest keys of a tile. NaN stays, so that nobody passes over it. */
export function findTileKeys(tile: i32): void {
  const largest = keysOf(tile);
  for (let at = largest; at < largest + references.row; at += 16) v128.store(at, splat(NONE));
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let j = tile * TILE; j < min((tile + 1) * TILE, call.source); j++) {
      const row = <usize>b * call.source + j;
      if (!exists(call.mask, row)) continue;
      let at = largest + ((<usize>b * call.groups) << 4);
      for (let g: i32 = 0; g < call.groups; g++, at += 16) {
        v128.store(at, f32x4.max(v128.load(at), f32x4.nearest(loadChannels(call.key, row, g))));
      }
    }
  }
}

/** Finds the largest biases of `count` rows in the first `limit` tiles. `largest` holds those of the rows. */
export function findTileBiases(begin: i32, count: i32, limit: i32, largest: usize): void {
  for (let i: i32 = 0; i < count; i++) {
    const row = biasRows.at + biasRows.step * i;
    const ofRow = nearest<f32>(load<f32>(largest + (<usize>i << 2)));
    store<f32>(tiles.rows + (<usize>i << 2), ofRow);
    const seen = call.causal ? begin + i + 1 : call.source;
    for (let tile: i32 = 0; tile < limit; tile++) {
      const at = (<usize>tile * ROWS + i) << 2;
      let most: f32 = NONE;
      let place = tile * TILE;
      for (let j = place; j < min((tile + 1) * TILE, seen); j++) {
        const bias = load<f32>(row + (<usize>j << 2));
        // NaN is taken, and stays.
        if (bias <= most || most != most) continue;
        most = bias;
        place = j;
      }
      most = nearest<f32>(most);
      store<f32>(tiles.biases + at, most);
      store<f32>(tiles.relative + at, most - ofRow);
      store<i32>(tiles.places + at, place);
    }
  }
  // Up to four rows that do not exist, which nobody may take for rows that a tile does not hold.
  for (let i = count; i < roundUp(count, 4); i++) {
    for (let tile: i32 = 0; tile < limit; tile++) store<f32>(tiles.relative + ((<usize>tile * ROWS + i) << 2), NONE);
  }
}

export function tiledElements(): i32 {
  return tiles.elements;
}

export function tiledExponents(): f64 {
  return tiles.exponents;
}
