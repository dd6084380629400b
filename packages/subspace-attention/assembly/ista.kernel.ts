// What stands between the products of ISTA, in one pass each.
import { loadLanes, madd, maximum, splat, storeLanes } from '../../tensor-ops/assembly/math';

/** out = max(share addend + factor out + shift, floor), in place. */
export function combine(out: usize, addend: usize, size: i32, share: f32, factor: f32, shift: f32, floor: f32): void {
  const shares = splat(share), factors = splat(factor), shifts = splat(shift), least = splat(floor);
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    const sum = madd(factors, loadLanes(out + at, size - i), madd(shares, loadLanes(addend + at, size - i), shifts));
    storeLanes(out + at, maximum(sum, least), size - i);
  }
}

/** received = dOutput where codes are above 0, else 0: selected, so that nothing infinite reaches a code of 0. */
export function receive(codes: usize, dOutput: usize, received: usize, size: i32): void {
  for (let i = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    const isAbove = f32x4.gt(loadLanes(codes + at, size - i), splat(0));
    storeLanes(received + at, v128.and(loadLanes(dOutput + at, size - i), isAbove), size - i);
  }
}

/** Columns of a matrix that stay in the first-level cache while its rows are read. */
const STRIP: i32 = 16;

/** out = x + x^T, both `[dim, dim]`. */
export function addTranspose(x: usize, out: usize, dim: i32): void {
  const row = <usize>dim << 2;
  for (let first = 0; first < dim; first += STRIP) {
    const end = min(first + STRIP, dim);
    for (let i = 0; i < dim; i++) {
      for (let j = first; j < end; j++) {
        const at = row * i + (<usize>j << 2);
        store<f32>(out + at, load<f32>(x + at) + load<f32>(x + row * j + (<usize>i << 2)));
      }
    }
  }
}
