import { show } from '../check-options';
import { DTypeError, ShapeError } from '../errors';

/** Numbers in C order with their shape. */
export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Numbers nested to any depth. */
export type Nested64 = readonly (number | Nested64)[];

/** A matrix as rows, or as numbers in C order with their shape. */
export type Matrix64 = readonly (readonly number[])[] | Array64;

/** A tensor as nested arrays, or as numbers in C order with their shape. */
export type Tensor64 = Nested64 | Array64;

export const sizeOfShape = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1);

export const zeros64 = (...shape: number[]): Array64 => ({ shape, data: new Float64Array(sizeOfShape(shape)) });

const words: Readonly<Record<number, string>> = { 1: 'a vector', 2: 'a matrix' };

/**
 * A copy of what a user gave as an array.
 *
 * @param ranks - The numbers of axes it may have; any if absent.
 * @throws ShapeError for rows of unequal length, a shape that does not fit its data, or another number of axes; DTypeError for anything else than
 *   finite numbers.
 */
export function readArray64(functionName: string, name: string, value: unknown, ranks?: readonly number[]): Array64 {
  const array = Array.isArray(value) ? fromNested(functionName, name, value, ranks) : fromShaped(functionName, name, value);
  if (ranks && !ranks.includes(array.shape.length)) {
    const expected = ranks.map((rank) => words[rank] ?? `an array of ${rank} axes`).join(' or ');
    throw new ShapeError(`${functionName}: ${name} must be ${expected}, got shape [${array.shape.join(', ')}]`);
  }
  const bad = array.data.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) throw new DTypeError(`${functionName}: ${name} must hold finite numbers, got ${array.data[bad]} at place ${bad}`);
  return array;
}

function fromShaped(functionName: string, name: string, value: unknown): Array64 {
  const { shape, data } = (value ?? {}) as Partial<Array64>;
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize) || typeof data?.length !== 'number') {
    throw new DTypeError(`${functionName}: ${name} must be nested arrays of numbers or {shape, data}, got ${show(value)}`);
  }
  if (data.length !== sizeOfShape(shape)) {
    throw new ShapeError(`${functionName}: ${name} has shape [${shape.join(', ')}] but ${data.length} numbers`);
  }
  return { shape: [...shape], data: Float64Array.from(data) };
}

function fromNested(functionName: string, name: string, value: readonly unknown[], ranks?: readonly number[]): Array64 {
  const shape: number[] = [];
  for (let inner: unknown = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const data: number[] = [];
  const walk = (part: unknown, depth: number, place: string) => {
    if (depth === shape.length) {
      if (typeof part !== 'number') {
        throw new DTypeError(`${functionName}: ${name} must hold numbers, got ${show(part)} at ${name}${place}`);
      }
      data.push(part);
      return;
    }
    if (!Array.isArray(part) || part.length !== shape[depth]) {
      const found = Array.isArray(part) ? `${part.length} entries` : show(part);
      throw new ShapeError(
        `${functionName}: ${name}${place} must be an array of ${shape[depth]}, as its first neighbour is, got ${found}`,
      );
    }
    for (const [i, entry] of part.entries()) walk(entry, depth + 1, `${place}[${i}]`);
  };
  walk(value, 0, '');
  // Where a matrix is asked for, no rows are a matrix of no rows and no columns.
  if (shape.length === 1 && shape[0] === 0 && ranks?.[0] === 2) shape.push(0);
  return { shape, data: Float64Array.from(data) };
}

/** `a b`, each taken transposed if asked. */
export function product64(a: Array64, b: Array64, transposeA = false, transposeB = false): Array64 {
  const [aRows, aColumns] = a.shape as [number, number];
  const [bRows, bColumns] = b.shape as [number, number];
  const [rows, depth] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const columns = transposeB ? bRows : bColumns;
  const out = zeros64(rows, columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < depth; k++) {
      const left = a.data[transposeA ? k * aColumns + i : i * aColumns + k]!;
      for (let j = 0; j < columns; j++) {
        out.data[i * columns + j]! += left * b.data[transposeB ? j * bColumns + k : k * bColumns + j]!;
      }
    }
  }
  return out;
}

/** The transpose of a matrix. */
export function transposed64({ shape, data }: Array64): Array64 {
  const [rows, columns] = shape as [number, number];
  const out = zeros64(columns, rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[j * rows + i] = data[i * columns + j]!;
  return out;
}

/** The largest magnitude; 0 for no numbers. */
export const largest64 = (data: Float64Array): number => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** The root of the sum of squares, without overflow. */
export function norm64(data: Float64Array): number {
  const scale = largest64(data);
  if (scale === 0) return 0;
  let sum = 0;
  for (const x of data) sum += (x / scale) ** 2;
  return scale * Math.sqrt(sum);
}
