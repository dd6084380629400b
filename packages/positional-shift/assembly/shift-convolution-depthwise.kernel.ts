// y = sum over terms of (x as the term reads it) times a number per channel, over a grid [batch, height, width] of rows of `dim` floats; time is a height of 1.
import { accumulate } from '../../tensor-ops/assembly/accumulate';
import { loadLanes, madd } from '../../tensor-ops/assembly/math';
import { block, one, WIDE } from '../../tensor-ops/assembly/taps';
import { GROUP, slideRun } from './depthwise-run';
import { Boundary, endOf, firstOf, otherOf, resolved } from './boundary';

/** Products that are listed at once: two integers each. */
const ENTRIES: i32 = 1024;

/** Positions of a stretch whose rows stay in the cache for all terms. */
const STRETCH: i32 = 64;

/** Outputs that all terms go over before the next ones: what they read and write then stays in the first-level cache. */
const TILE: i32 = 24;

/** How many rows before they are worked on the next ones are asked for. */
const AHEAD: i32 = 12;

/** The longest run of taps that is summed at once, so that rounding does not add up, and the shortest that pays. */
const LONGEST_RUN: i32 = 64;
const SHORTEST_RUN: i32 = 3;

/** Bytes of working memory of `depthwise`. */
export function tableBytes(): usize {
  return <usize>ENTRIES << 3;
}

@unmanaged
class Line {
  x: usize;
  theta: usize;
  out: usize;
  offsets: usize;
  terms: i32;
  height: i32;
  width: i32;
  dim: i32;
  boundary: i32;
  adjoint: bool;
  table: usize;
  y: i32;
}

/** How many terms from `term` on read one row before, or one row after, the one before them. `step` says which. */
function runOf(line: Line, term: i32, step: i32): i32 {
  const first = line.offsets + (<usize>term << 3);
  const most = min(line.terms - term, LONGEST_RUN);
  let length: i32 = 1;
  for (; length < most; length++) {
    const next = first + (<usize>length << 3);
    if (load<i32>(next) != load<i32>(first) || load<i32>(next, 4) != load<i32>(first, 4) + step * length) break;
  }
  return length;
}

/**
 * Outputs [begin, end) of a line. `alike`: every term reads one place for each of them, all at the distance of its offset, and their number is a multiple of 4; else there is one
 * output. `line.x` is the first row of the image, `line.out` of the line.
 */
function outputs(line: Line, begin: i32, end: i32, alike: bool): void {
  const row = <usize>line.dim << 2;
  const last = line.table + tableBytes();
  const adjoint = line.adjoint, boundary = line.boundary, width = line.width;
  const slides = alike && (line.dim & 3) == 0;
  let entry = line.table;
  let begun = false;
  for (let term: i32 = 0; term < line.terms; term++) {
    const dy = load<i32>(line.offsets + (<usize>term << 3));
    const dx = load<i32>(line.offsets + (<usize>term << 3), 4);
    const firstY = firstOf(line.y, dy, line.height, boundary, adjoint), endY = endOf(line.y, dy, line.height, boundary, adjoint);
    const otherY = otherOf(line.y, dy, line.height, boundary, adjoint);
    const stopY = max(firstY, endY) + (otherY >= 0 ? 1 : 0);
    if (slides) {
      // Rows back in time: of rising offsets, or of falling ones for the adjoint.
      const back = runOf(line, term, adjoint ? -1 : 1), forth = runOf(line, term, adjoint ? 1 : -1);
      const length = max(back, forth);
      if (length >= SHORTEST_RUN) {
        const isBack = back >= forth;
        // Each run begins with the term that reads the latest row.
        const first = isBack ? term : term + length - 1;
        const distance = load<i32>(line.offsets + (<usize>first << 3), 4);
        const source = begin + (adjoint ? distance : -distance);
        const ahead = max(0, min(AHEAD, width - end - max(0, source - begin)));
        for (let v = firstY; v < stopY; v++) {
          const sourceY = v < endY ? v : otherY;
          const from = line.x + row * (sourceY * width + source);
          const step = isBack ? <isize>row : -(<isize>row);
          slideRun(from, line.theta + row * first, step, length, line.out + row * begin, end - begin, line.dim, begun, ahead);
          begun = true;
        }
        term += length - 1;
        continue;
      }
    }
    let firstX = begin + (adjoint ? dx : -dx), endX = firstX + 1, otherX = -1;
    if (!alike) {
      firstX = firstOf(begin, dx, width, boundary, adjoint);
      endX = endOf(begin, dx, width, boundary, adjoint);
      otherX = otherOf(begin, dx, width, boundary, adjoint);
    }
    const stopX = max(firstX, endX) + (otherX >= 0 ? 1 : 0);
    for (let v = firstY; v < stopY; v++) {
      const sourceY = v < endY ? v : otherY;
      for (let u = firstX; u < stopX; u++) {
        const sourceX = u < endX ? u : otherX;
        if (entry == last) {
          sum(line, begin, end, entry, begun);
          begun = true;
          entry = line.table;
        }
        store<u32>(entry, <u32>(row * term));
        store<u32>(entry, <u32>(row * (sourceY * width + sourceX - begin)), 4);
        entry += 8;
      }
    }
  }
  if (entry > line.table || !begun) sum(line, begin, end, entry, begun);
}

/** The listed products of outputs [begin, end). */
function sum(line: Line, begin: i32, end: i32, last: usize, begun: bool): void {
  const row = <usize>line.dim << 2;
  let p = begin;
  if (line.dim >= WIDE && last > line.table) {
    for (; p + GROUP <= end; p += GROUP) block(line.x + row * p, line.theta, line.out + row * p, line.table, last, line.dim, begun);
  }
  for (; p < end; p++) one(line.x + row * p, line.theta, line.out + row * p, line.table, last, line.dim, begun);
}

/** The first output from which on every term reads one place at the distance of its offset. */
function firstAlike(line: Line): i32 {
  let first: i32 = 0;
  for (let term: i32 = 0; term < line.terms; term++) {
    const dx = load<i32>(line.offsets + (<usize>term << 3), 4);
    first = max(first, line.adjoint ? -dx : dx);
    if (!line.adjoint || dx <= 0) continue;
    if (line.boundary == Boundary.REPLICATE) first = max(first, 1);
    if (line.boundary == Boundary.REFLECT) first = max(first, dx + 1);
  }
  return first;
}

/** The output after the last of these. */
function endAlike(line: Line): i32 {
  const width = line.width;
  let end = width;
  for (let term: i32 = 0; term < line.terms; term++) {
    const dx = load<i32>(line.offsets + (<usize>term << 3), 4);
    end = min(end, width + (line.adjoint ? -dx : dx));
    if (!line.adjoint || dx >= 0) continue;
    if (line.boundary == Boundary.REPLICATE) end = min(end, width - 1);
    if (line.boundary == Boundary.REFLECT) end = min(end, width - 1 + dx);
  }
  return end;
}

/**
 * out = the convolution of x, or, if `adjoint`, what goes back to x from the gradient of the output.
 *
 * @param theta - `[terms, dim]`. @param offsets - two integers per term. @param scratch - `tableBytes()` and 64 more.
 */
export function depthwise(
  x: usize, theta: usize, out: usize, offsets: usize, terms: i32, batch: i32, height: i32, width: i32, dim: i32,
  boundary: i32, adjoint: bool, scratch: usize,
): void {
  const line = changetype<Line>(scratch);
  line.theta = theta;
  line.offsets = offsets;
  line.terms = terms;
  line.height = height;
  line.width = width;
  line.dim = dim;
  line.boundary = boundary;
  line.adjoint = adjoint;
  line.table = scratch + 64;
  const begin = firstAlike(line);
  const end = begin + (max(0, endAlike(line) - begin) & -GROUP);
  const row = <usize>dim << 2;
  for (let b: i32 = 0; b < batch; b++) {
    line.x = x + row * (b * height * width);
    for (let y: i32 = 0; y < height; y++) {
      line.y = y;
      line.out = out + row * ((b * height + y) * width);
      for (let p: i32 = 0; p < min(begin, width); p++) outputs(line, p, p + 1, false);
      for (let p = begin; p < end; p += TILE) outputs(line, p, min(p + TILE, end), true);
      for (let p = end; p < width; p++) outputs(line, p, p + 1, false);
    }
  }
}

/** Adds to a row of the gradient the products of `count` rows of x, `step` bytes apart, and of the gradient that arrives. */
function addProducts(x: usize, step: usize, received: usize, row: usize, count: i32, dim: i32, sums: usize, lost: usize): void {
  let c: i32 = 0;
  for (; c + 16 <= dim; c += 16) {
    const at = <usize>c << 2;
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let source = x + at, gradient = received + at;
    for (let i: i32 = 0; i < count; i++) {
      s0 = madd(v128.load(source), v128.load(gradient), s0);
      s1 = madd(v128.load(source, 16), v128.load(gradient, 16), s1);
      s2 = madd(v128.load(source, 32), v128.load(gradient, 32), s2);
      s3 = madd(v128.load(source, 48), v128.load(gradient, 48), s3);
      source += step;
      gradient += row;
    }
    accumulate(sums + at, lost + at, s0, 4);
    accumulate(sums + at + 16, lost + at + 16, s1, 4);
    accumulate(sums + at + 32, lost + at + 32, s2, 4);
    accumulate(sums + at + 48, lost + at + 48, s3, 4);
  }
  for (; c < dim; c += 4) {
    const at = <usize>c << 2;
    const lanes = dim - c;
    let total = f32x4.splat(0);
    let source = x + at, gradient = received + at;
    for (let i: i32 = 0; i < count; i++) {
      total = madd(loadLanes(source, lanes), loadLanes(gradient, lanes), total);
      source += step;
      gradient += row;
    }
    accumulate(sums + at, lost + at, total, lanes);
  }
}

/** dTheta[terms, dim] = the sum over positions of what a term reads times the gradient that arrives. `lost` is as large. */
export function depthwiseThetaGradient(
  x: usize, dOutput: usize, dTheta: usize, offsets: usize, terms: i32, batch: i32, height: i32, width: i32, dim: i32,
  boundary: i32, lost: usize,
): void {
  const row = <usize>dim << 2;
  memory.fill(dTheta, 0, row * terms);
  memory.fill(lost, 0, row * terms);
  for (let line: i32 = 0; line < batch * height; line++) {
    const y = line % height;
    const received = dOutput + row * (line * width);
    for (let begin: i32 = 0; begin < width; begin += STRETCH) {
      const end = min(begin + STRETCH, width);
      for (let term: i32 = 0; term < terms; term++) {
        const dx = load<i32>(offsets + (<usize>term << 3), 4);
        const sourceY = resolved(y - load<i32>(offsets + (<usize>term << 3)), height, boundary);
        if (sourceY < 0) continue;
        const from = x + row * ((line - y + sourceY) * width);
        const sums = dTheta + row * term, rest = lost + row * term;
        // Runs of targets whose sources follow each other: before the axis begins, inside, and after it ends.
        for (let p = begin; p < end; ) {
          const source = p - dx;
          const stop = source < 0 ? min(end, dx) : source < width ? min(end, width + dx) : end;
          const place = resolved(source, width, boundary);
          if (place >= 0) {
            const isInside = source == place || boundary == Boundary.CIRCULAR;
            const step: usize = isInside ? row : boundary == Boundary.REPLICATE ? 0 : 0 - row;
            addProducts(from + row * place, step, received + row * p, row, stop - p, dim, sums, rest);
          }
          p = stop;
        }
      }
    }
  }
}
