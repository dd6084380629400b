// Pieces of attention kernels: products between tiles of 32 by 32 in which the result of one, kept in registers, is the left factor of the next. A workgroup
// has 8 x 8 threads; the thread at `x`, `y` holds rows 4 y to 4 y + 3 and columns 4 x to 4 x + 3. `index` is its number.

/** Rows and columns of a tile: targets and sources. */
export const ATTENTION_TILE = 32;

/** Threads along one side. */
const SIDE = ATTENTION_TILE / 4;

/** Steps of depth that are staged at a time. */
const DEPTH = 16;

const lanes = ['x', 'y', 'z', 'w'] as const;

/** Declares what the pieces work on, and tiles of weights by name: `[column, row]`, vectors of four rows. */
export function declareAttention(tiles: readonly string[]): string {
  const size = ATTENTION_TILE * SIDE;
  return ['staged', ...tiles].map((name) => `var<workgroup> ${name}: array<vec4f, ${size}>;`).join('\n');
}

/**
 * Sets `<name>0` to `<name>3`, rows of four columns, to the products of rows of the left and right factor.
 *
 * @param left - WGSL of an element at `row` of the tile and step `k` of the depth; 0 beyond either. `right` likewise, its rows being columns of the result.
 * @param depth - WGSL of the length of the rows, the same for all threads.
 */
export function multiplyRows(name: string, left: string, right: string, depth: string): string {
  const quad = (element: string) => lanes.map((_, i) => `(${element.replace(/\brow\b/g, `(quad + ${i}u)`)})`).join(', ');
  return `
    var ${name}0 = vec4f(); var ${name}1 = vec4f(); var ${name}2 = vec4f(); var ${name}3 = vec4f();
    for (var d = 0u; d < ${depth}; d += ${DEPTH}u) {
      workgroupBarrier();
      for (var slot = index; slot < ${DEPTH * SIDE}u; slot += ${SIDE * SIDE}u) {
        let k = d + slot % ${DEPTH}u;
        let quad = 4u * (slot / ${DEPTH}u);
        let at = slot % ${DEPTH}u * ${SIDE}u + slot / ${DEPTH}u;
        staged[at] = vec4f(${quad(left)});
        staged[${DEPTH * SIDE}u + at] = vec4f(${quad(right)});
      }
      workgroupBarrier();
      for (var k = 0u; k < ${DEPTH}u; k++) {
        let a = staged[k * ${SIDE}u + y];
        let b = staged[${DEPTH * SIDE}u + k * ${SIDE}u + x];
        ${lanes.map((lane, i) => `${name}${i} += a.${lane} * b;`).join(' ')}
      }
    }`;
}

/** Stores `<name>0` to `<name>3` as a tile of weights. A barrier must follow before it is read. */
export function storeWeights(tile: string, name: string): string {
  return lanes
    .map((lane, j) => {
      return `${tile}[(4u * x + ${j}u) * ${SIDE}u + y] = vec4f(${lanes.map((_, i) => `${name}${i}.${lane}`).join(', ')});`;
    })
    .join('\n    ');
}

/**
 * Adds to `<sums>0` to `<sums>3` the product of a tile of weights and rows of 32 numbers, one for each of the tile's columns. Begins with a barrier.
 *
 * @param element - WGSL of an element at `row`, which is a column of the tile, and `column`; 0 beyond either.
 */
export function addWeighed(sums: string, tile: string, element: string): string {
  const quad = lanes.map((_, i) => `(${element.replace(/\bcolumn\b/g, `(quad + ${i}u)`)})`).join(', ');
  return `
    workgroupBarrier();
    for (var slot = index; slot < ${ATTENTION_TILE * SIDE}u; slot += ${SIDE * SIDE}u) {
      let row = slot / ${SIDE}u;
      let quad = 4u * (slot % ${SIDE}u);
      staged[slot] = vec4f(${quad});
    }
    workgroupBarrier();
    for (var k = 0u; k < ${ATTENTION_TILE}u; k++) {
      let a = ${tile}[k * ${SIDE}u + y];
      let b = staged[k * ${SIDE}u + x];
      ${lanes.map((lane, i) => `${sums}${i} += a.${lane} * b;`).join(' ')}
    }`;
}
