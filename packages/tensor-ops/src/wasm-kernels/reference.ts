import type { ShapedValues } from '@mixfold/testing';

/** One operand of the reference, with its transposition. */
export interface Operand extends ShapedValues {
  readonly transposed: boolean;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** `[..., rows, depth]` times `[..., depth, columns]` in float64; the leading axes broadcast. Also the sum of the terms' magnitudes. */
export function matMulReference(a: Operand, b: Operand): { shape: number[]; data: Float64Array } {
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [rows, depth] = a.transposed ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const columns = b.transposed ? b.shape.at(-2)! : b.shape.at(-1)!;
  const data = new Float64Array(sizeOf(batch) * rows * columns);
  let at = 0;
  for (let n = 0; n < sizeOf(batch); n++) {
    const aStart = matrixAt(n, batch, a.shape.slice(0, -2)) * rows * depth;
    const bStart = matrixAt(n, batch, b.shape.slice(0, -2)) * depth * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let p = 0; p < depth; p++) {
          const left = a.data[aStart + (a.transposed ? p * rows + i : i * depth + p)]!;
          sum += left * b.data[bStart + (b.transposed ? j * depth + p : p * columns + j)]!;
        }
        data[at++] = sum;
      }
    }
  }
  return { shape: [...batch, rows, columns], data };
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

/** The matrix of a stack of shape `own` that stands at place `n` of the broadcast stack. */
function matrixAt(n: number, batch: readonly number[], own: readonly number[]): number {
  let index = 0;
  let stride = 1;
  for (let axis = 1; axis <= own.length; axis++) {
    const size = own.at(-axis)!;
    index += (size === 1 ? 0 : n % batch.at(-axis)!) * stride;
    stride *= size;
    n = Math.floor(n / batch.at(-axis)!);
  }
  return index;
}

/** The error function by its series, or beyond 3 by its continued fraction. */
export function erfReference(x: number): number {
  if (!Number.isFinite(x)) return Math.sign(x);
  if (Math.abs(x) > 3) {
    let fraction = 0;
    for (let k = 60; k > 0; k--) fraction = k / 2 / (Math.abs(x) + fraction);
    return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + fraction));
  }
  let [term, sum] = [x, x];
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const stepsOf = (shape: readonly number[]) => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));

/** The coordinates of element `i`. */
const placeOf = (i: number, shape: readonly number[]) => stepsOf(shape).map((step, axis) => Math.floor(i / step) % shape[axis]!);

const indexOf = (place: readonly number[], shape: readonly number[]) =>
  stepsOf(shape).reduce((index, step, axis) => index + step * place[axis]!, 0);

/** A tensor whose element at each place is taken from a place of `x`. */
function taken(x: ShapedValues, shape: number[], from: (place: number[]) => number[]): { shape: number[]; data: Float64Array } {
  const pick = (_: unknown, i: number) => x.data[indexOf(from(placeOf(i, shape)), x.shape)]!;
  return { shape, data: Float64Array.from({ length: sizeOf(shape) }, pick) };
}

export const transposeReference = (x: ShapedValues, order: readonly number[]) =>
  taken(
    x,
    order.map((axis) => x.shape[axis]!),
    (place) => x.shape.map((_, axis) => place[order.indexOf(axis)]!),
  );

export const sliceReference = (x: ShapedValues, begin: readonly number[], size: readonly number[]) =>
  taken(x, [...size], (place) => place.map((at, axis) => at + begin[axis]!));

export function gatherReference(x: ShapedValues, indices: ShapedValues, axis: number, batchDims: number) {
  const [batch, own] = [indices.shape.slice(0, batchDims), indices.shape.slice(batchDims)];
  const shape = [...x.shape.slice(0, axis), ...own, ...x.shape.slice(axis + 1)];
  return taken(x, shape, (place) => {
    const index =
      indices.data[indexOf([...place.slice(0, batch.length), ...place.slice(axis, axis + own.length)], indices.shape)]!;
    return [...place.slice(0, axis), index, ...place.slice(axis + own.length)];
  });
}

export function sumReference(x: ShapedValues, axes: readonly number[]): { shape: number[]; data: Float64Array } {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const shape = kept.map((axis) => x.shape[axis]!);
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < sizeOf(x.shape); i++) {
    const place = placeOf(i, x.shape);
    data[
      indexOf(
        kept.map((axis) => place[axis]!),
        shape,
      )
    ]! += x.data[i]!;
  }
  return { shape, data };
}
