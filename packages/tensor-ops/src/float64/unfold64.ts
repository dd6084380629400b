import { type Array64, sizeOfShape, zeros64 } from './array64';

/** The mode-n unfolding, columns in C order. */
export function unfold64({ shape, data }: Array64, mode: number): Array64 {
  const size = shape[mode]!;
  const [before, after] = [sizeOfShape(shape.slice(0, mode)), sizeOfShape(shape.slice(mode + 1))];
  const out = zeros64(size, before * after);
  for (let i = 0; i < before; i++) {
    for (let j = 0; j < size; j++) {
      out.data.set(data.subarray((i * size + j) * after, (i * size + j + 1) * after), j * before * after + i * after);
    }
  }
  return out;
}

/** Undoes `unfold64` for a tensor of this shape. */
export function fold64(matrix: Array64, mode: number, shape: readonly number[]): Array64 {
  const size = shape[mode]!;
  const [before, after] = [sizeOfShape(shape.slice(0, mode)), sizeOfShape(shape.slice(mode + 1))];
  const out = zeros64(...shape);
  for (let i = 0; i < before; i++) {
    for (let j = 0; j < size; j++) {
      const from = j * before * after + i * after;
      out.data.set(matrix.data.subarray(from, from + after), (i * size + j) * after);
    }
  }
  return out;
}
