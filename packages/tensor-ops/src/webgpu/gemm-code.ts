import { type GemmTile, strideOf, threadsOf } from './gemm-tile';

/** Where one operand of a product comes from. */
export interface GemmOperand {
  /**
   * The body of a WGSL function that returns one element (f32) of the matrix `batch`: of the left operand at `row` and `k`, of the right one at `k` and
   * `column`. It is called inside the matrix only.
   */
  readonly element: string;
  /** Along which index neighbours lie side by side in memory: it decides which elements neighbouring threads read. */
  readonly neighbours: 'depth' | 'width';
  /**
   * The body of a function of the same parameters that returns four elements (vec4f) at once: of rows `row` to `row + 3`, or columns `column` to
   * `column + 3`. For a number of rows, or columns, that 4 divides.
   */
  readonly quad?: string | undefined;
}

/** What a workgroup does beside the product. All are WGSL. */
export interface GemmCode {
  readonly left: GemmOperand;
  /** One product per right operand; they share the tiles of the left one. */
  readonly rights: readonly GemmOperand[];
  /**
   * Statements that take the elements of the products, `value0: f32`, `value1: f32` and so on, at `batch`, `row` and `column`: called once for each element
   * inside the result, by the thread that owns it.
   */
  readonly store: string;
  /**
   * Statements for each element once more, at `batch`, `row` and `column`, by the thread that stored it and after all that it stored: for what is seldom, and
   * too long to be written out for every register.
   */
  readonly revisit?: string | undefined;
  /** `begin` and `end` of the depth for the tile at `batch`, `firstRow`, `firstColumn`; u32. Default 0 and `uniforms.depth`. Beyond them nothing is read. */
  readonly range?: { readonly begin?: string; readonly end?: string } | undefined;
  /** Functions and constants that the others use. */
  readonly functions?: string | undefined;
}

/** Steps of depth written out between two turns of the inner loop; few for small tiles, whose shader takes longer to compile than to run. */
const unrolled = (tile: GemmTile) => (tile.threadRows > 4 ? 4 : 2);

const list = <Item>(length: number, item: (index: number) => Item): Item[] => Array.from({ length }, (_, index) => item(index));

/** `let` of the x, y, z and w of a vector by number. */
const lane = (index: number) => 'xyzw'[index % 4]!;

/** The WGSL names of the registers of a thread: four neighbouring columns of one row of one product. */
const register = (product: number, row: number, quad: number) => `sum${product}_${row}_${quad}`;

/** Declarations of the workgroup tiles `leftTile`, `rightTile0` and so on: vectors of 4 rows, or 4 columns, by steps of depth. */
export function declareTiles(tile: GemmTile, products: number): string {
  const declared = (name: string, width: number) => `var<workgroup> ${name}: array<vec4f, ${tile.depth * strideOf(width)}>;`;
  return [declared('leftTile', tile.rows), ...list(products, (p) => declared(`rightTile${p}`, tile.columns))].join('\n');
}

/** Declarations of a thread's registers, as zeros. */
export function declareSums(tile: GemmTile, products: number): string {
  return list(products, (p) =>
    list(tile.threadRows, (i) => list(tile.threadColumns / 4, (q) => `var ${register(p, i, q)} = vec4f();`).join(' ')).join('\n'),
  ).join('\n');
}

/**
 * Adds the product of the tiles to the registers: for each step of depth a thread reads its rows and columns once and multiplies each with each. `x` and `y`
 * are its place in the workgroup.
 */
export function multiplyTiles(tile: GemmTile, products: number): string {
  const [across, along] = threadsOf(tile);
  const [rowQuads, columnQuads] = [tile.threadRows / 4, tile.threadColumns / 4];
  const step = (j: number) => `{
      ${list(rowQuads, (q) => `let a${q} = leftTile[(k + ${j}u) * ${strideOf(tile.rows)}u + ${q * along}u + y];`).join(' ')}
      ${list(products, (p) =>
        list(columnQuads, (q) => {
          return `let b${p}_${q} = rightTile${p}[(k + ${j}u) * ${strideOf(tile.columns)}u + ${q * across}u + x];`;
        }).join(' '),
      ).join('\n      ')}
      ${list(products, (p) =>
        list(tile.threadRows, (i) =>
          list(columnQuads, (q) => `${register(p, i, q)} += a${Math.floor(i / 4)}.${lane(i)} * b${p}_${q};`).join(' '),
        ).join('\n      '),
      ).join('\n      ')}
    }`;
  return `for (var k = 0u; k < ${tile.depth}u; k += ${unrolled(tile)}u) {
    ${list(unrolled(tile), step).join(' ')}
  }`;
}

/** Calls `storeQuad` for every four neighbouring columns that a thread owns. */
function storeSums(tile: GemmTile, products: number, batch: string): string {
  const [across, along] = threadsOf(tile);
  return list(tile.threadRows, (i) =>
    list(tile.threadColumns / 4, (q) => {
      const row = `firstRow + ${4 * Math.floor(i / 4) * along + (i % 4)}u + 4u * y`;
      const column = `firstColumn + ${4 * q * across}u + 4u * x`;
      return `storeQuad(${batch}, ${row}, ${column}, ${list(products, (p) => register(p, i, q)).join(', ')});`;
    }).join('\n  '),
  ).join('\n  ');
}

/** Calls `revisit` for every element that a thread owns, in a loop. */
function revisitElements(tile: GemmTile): string {
  const [across, along] = threadsOf(tile);
  return `for (var i = 0u; i < ${tile.threadRows * tile.threadColumns}u; i++) {
    let r = i / ${tile.threadColumns}u;
    let c = i % ${tile.threadColumns}u;
    let row = firstRow + r / 4u * ${4 * along}u + r % 4u + 4u * y;
    let column = firstColumn + c / 4u * ${4 * across}u + c % 4u + 4u * x;
    if (row < uniforms.rows && column < uniforms.columns) { revisit(batch, row, column); }
  }`;
}

/** The function that `revisitElements` calls. */
const revisitFunction = ({ revisit }: GemmCode) =>
  revisit === undefined ? '' : `fn revisit(batch: u32, row: u32, column: u32) { ${revisit} }`;

/**
 * The four elements of an operand that one thread reads at once. Outside the matrix it reads the last element inside and takes 0: there is no branch for each
 * element, and the caller's code sees indices inside the matrix only.
 */
function quadFunction(name: string, operand: GemmOperand, index: 'row' | 'column', size: string): string {
  const parameters = index === 'row' ? 'batch: u32, row: u32, k: u32' : 'batch: u32, k: u32, column: u32';
  const place = (at: string) => (index === 'row' ? `batch, ${at}, k` : `batch, k, ${at}`);
  const read = operand.quad
    ? `if (${index} < ${size}) { quad = ${name}Four(${place(index)}); }`
    : `let last = ${size} - 1u;
    quad = vec4f(${list(4, (j) => `${name}At(${place(`min(${index} + ${j}u, last)`)})`).join(', ')});
    quad = select(vec4f(), quad, vec4u(${index}) + vec4u(0u, 1u, 2u, 3u) <= vec4u(last));`;
  return `
fn ${name}${operand.quad ? 'Four' : 'At'}(${parameters}) -> ${operand.quad ? 'vec4f' : 'f32'} { ${operand.quad ?? operand.element} }
fn ${name}Quad(${parameters}, end: u32) -> vec4f {
  var quad = vec4f();
  if (k < end) {
    ${read}
  }
  return quad;
}`;
}

/** How the threads of a workgroup share out the reading of a tile: thread and turn to step of depth and place of four. */
function sharing(tile: GemmTile, width: number, { neighbours }: GemmOperand) {
  const quads = (tile.depth * width) / 4;
  const threads = threadsOf(tile)[0] * threadsOf(tile)[1];
  const index = (turn: number) => `(index + ${turn * threads}u)`;
  return {
    turns: list(Math.ceil(quads / threads), (turn) => turn),
    k: (turn: number) => (neighbours === 'depth' ? `${index(turn)} % ${tile.depth}u` : `${index(turn)} / ${width / 4}u`),
    quad: (turn: number) => (neighbours === 'depth' ? `${index(turn)} / ${tile.depth}u` : `${index(turn)} % ${width / 4}u`),
    /** A condition before what only some threads do in their last turn. */
    guard: (turn: number) => ((turn + 1) * threads > quads ? `if (${index(turn)} < ${quads}u) ` : ''),
  };
}

/** Bodies that move the next tile from memory to registers, and from there to workgroup memory. */
function tileReaders(tile: GemmTile, { left, rights }: GemmCode) {
  const parts = [
    { name: 'left', tile: 'leftTile', width: tile.rows, operand: left },
    ...rights.map((operand, p) => ({ name: `right${p}`, tile: `rightTile${p}`, width: tile.columns, operand })),
  ].map((part) => ({ ...part, ...sharing(tile, part.width, part.operand) }));
  const place = (name: string, k: string, quad: string) =>
    name === 'left' ? `batch, firstRow + 4u * (${quad}), begin + ${k}` : `batch, begin + ${k}, firstColumn + 4u * (${quad})`;
  return {
    declare: parts.map(({ name, turns }) => turns.map((t) => `var ${name}${t}Next = vec4f();`).join(' ')).join('\n  '),
    read: parts
      .map(({ name, turns, k, quad, guard }) =>
        turns.map((t) => `${guard(t)}{ ${name}${t}Next = ${name}Quad(${place(name, k(t), quad(t))}, end); }`).join('\n  '),
      )
      .join('\n  '),
    write: parts
      .map(({ name, tile: to, width, turns, k, quad, guard }) =>
        turns.map((t) => `${guard(t)}{ ${to}[(${k(t)}) * ${strideOf(width)}u + ${quad(t)}] = ${name}${t}Next; }`).join('\n    '),
      )
      .join('\n    '),
  };
}

/**
 * The WGSL of a tiled matrix product, for the uniforms `batches`, `rows`, `columns`, `depth`, and with `splits` above 1 `gemmChunk`, the part of the depth that
 * one workgroup adds up. While a tile is multiplied, the next one is read from memory into registers.
 *
 * @param splits - Above 1 `store` gets partial products, with `batch` counting the part: `batch + uniforms.batches * part`.
 */
export function gemmCode(tile: GemmTile, code: GemmCode, splits: number): string {
  const { left, rights, store, range, functions } = code;
  const products = rights.length;
  const values = list(products, (p) => `value${p}`);
  const [across] = threadsOf(tile);
  const readers = tileReaders(tile, code);
  return `
${functions ?? ''}
${declareTiles(tile, products)}
${quadFunction('left', left, 'row', 'uniforms.rows')}
${rights.map((operand, p) => quadFunction(`right${p}`, operand, 'column', 'uniforms.columns')).join('')}
fn store(batch: u32, row: u32, column: u32, ${values.map((value) => `${value}: f32`).join(', ')}) { ${store} }
fn storeQuad(batch: u32, row: u32, column: u32, ${values.map((value) => `${value}: vec4f`).join(', ')}) {
  if (row >= uniforms.rows) { return; }
  ${list(4, (j) => {
    const elements = values.map((value) => `${value}.${lane(j)}`).join(', ');
    return `if (column + ${j}u < uniforms.columns) { store(batch, row, column + ${j}u, ${elements}); }`;
  }).join('\n  ')}
}
${splits > 1 ? '' : revisitFunction(code)}
fn main(
  @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32,
) {
  let across = (uniforms.columns + ${tile.columns - 1}u) / ${tile.columns}u;
  let along = (uniforms.rows + ${tile.rows - 1}u) / ${tile.rows}u;
  let number = group.y * groups.x + group.x;
  if (number >= across * along * uniforms.batches${splits > 1 ? ` * ${splits}u` : ''}) { return; }
  let firstColumn = number % across * ${tile.columns}u;
  let firstRow = number / across % along * ${tile.rows}u;
  let part = number / (across * along);
  let batch = part${splits > 1 ? ' % uniforms.batches' : ''};
  let x = index % ${across}u;
  let y = index / ${across}u;
  var begin = ${range?.begin ?? '0u'};
  var end = min(${range?.end ?? 'uniforms.depth'}, uniforms.depth);
  ${splits > 1 ? 'begin = max(begin, part / uniforms.batches * uniforms.gemmChunk);\n  end = min(end, (part / uniforms.batches + 1u) * uniforms.gemmChunk);' : ''}
  ${declareSums(tile, products)}
  ${readers.declare}
  var isReady = false;
  loop {
    let more = begin < end;
    if (more) {
    ${readers.read}
    }
    if (isReady) {
    ${multiplyTiles(tile, products)}
    }
    if (!more) { break; }
    workgroupBarrier();
    ${readers.write}
    workgroupBarrier();
    begin += ${tile.depth}u;
    isReady = true;
  }
  ${storeSums(tile, products, splits > 1 ? 'part' : 'batch')}
  ${splits > 1 || code.revisit === undefined ? '' : revisitElements(tile)}
}`;
}

/** Where a part of product `p` lies among all parts: `[product, part, batch, row, column]`. */
const PARTS_SIZE = 'uniforms.batches * uniforms.rows * uniforms.columns';

/** The `store` of the first of two programs: it keeps the parts as they are. */
export const storeParts = (products: number, splits: number): string => `
  let at = (batch * uniforms.rows + row) * uniforms.columns + column;
  ${list(products, (p) => `gemmParts[${p * splits}u * ${PARTS_SIZE} + at] = value${p};`).join('\n  ')}`;

/** The second of two programs: the sums of the parts of each element, in order, and the caller's `store` of them. */
export function sumPartsCode(code: GemmCode, splits: number): string {
  const { rights, store, functions, revisit } = code;
  const values = rights.map((_, p) => `value${p}`);
  return `
${functions ?? ''}
fn store(batch: u32, row: u32, column: u32, ${values.map((value) => `${value}: f32`).join(', ')}) { ${store} }
${revisitFunction(code)}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let size = ${PARTS_SIZE};
  for (var i = id.x; i < size; i += groups.x * workgroupSize.x) {
    ${values.map((value) => `var ${value} = 0.0;`).join(' ')}
    for (var part = 0u; part < ${splits}u; part++) {
      ${values.map((value, p) => `${value} += gemmParts[(${p * splits}u + part) * size + i];`).join(' ')}
    }
    let row = i / uniforms.columns;
    store(row / uniforms.rows, row % uniforms.rows, i % uniforms.columns, ${values.join(', ')});
    ${revisit === undefined ? '' : 'revisit(row / uniforms.rows, row % uniforms.rows, i % uniforms.columns);'}
  }
}`;
}
