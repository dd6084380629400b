/** `[outer, rows, columns]` as `[outer, columns, rows]`, in blocks that fit the first cache. */
export function swapAxes(source: usize, target: usize, outer: i32, rows: i32, columns: i32): void {
  const block = 16;
  for (let o = 0; o < outer; o++) {
    const begin = <usize>o * <usize>rows * <usize>columns;
    for (let i0 = 0; i0 < rows; i0 += block) {
      const i1 = min(rows, i0 + block);
      for (let j = 0; j < columns; j++) {
        for (let i = i0; i < i1; i++) {
          const value = load<u32>(source + ((begin + <usize>i * <usize>columns + j) << 2));
          store<u32>(target + ((begin + <usize>j * <usize>rows + i) << 2), value);
        }
      }
    }
  }
}
