// Rows over their root mean square, times a gain per channel, and the gradient of that.

/** As in `src/mssa/normalize-rows.ts`. */
const EPSILON: f32 = 1e-6;

function rootMeanSquare(row: usize, dim: i32): f32 {
  let squares: f32 = 0;
  for (let c: i32 = 0; c < dim; c++) {
    const x = load<f32>(row + (<usize>c << 2));
    squares += x * x;
  }
  return sqrt<f32>(squares / <f32>dim + EPSILON);
}

export function normalizeRows(x: usize, rows: i32, dim: i32, gain: usize, out: usize): void {
  const row = <usize>dim << 2;
  for (let i: i32 = 0; i < rows; i++, x += row, out += row) {
    const root = rootMeanSquare(x, dim);
    for (let c: usize = 0; c < row; c += 4) store<f32>(out + c, (load<f32>(x + c) / root) * load<f32>(gain + c));
  }
}

/** With n the rows over their root mean square r: adds dx = (g dy - n mean(g dy n)) / r to `dX`, and the sum of dy n to the float64 numbers `dGain`. */
export function normalizeRowsBackward(x: usize, dY: usize, rows: i32, dim: i32, dYRow: usize, gain: usize, dX: usize, dXRow: usize, dGain: usize): void {
  const row = <usize>dim << 2;
  for (let i: i32 = 0; i < rows; i++, x += row, dY += dYRow, dX += dXRow) {
    const root = rootMeanSquare(x, dim);
    let along: f32 = 0;
    for (let c: usize = 0; c < row; c += 4) {
      const unit = load<f32>(x + c) / root;
      const received = load<f32>(dY + c);
      along += received * load<f32>(gain + c) * unit;
      const sum = dGain + (c << 1);
      store<f64>(sum, load<f64>(sum) + <f64>(received * unit));
    }
    along /= <f32>dim;
    for (let c: usize = 0; c < row; c += 4) {
      const unit = load<f32>(x + c) / root;
      const change = (load<f32>(dY + c) * load<f32>(gain + c) - unit * along) / root;
      store<f32>(dX + c, load<f32>(dX + c) + change);
    }
  }
}
