/**
 * WGSL of a running weighted mean: the largest key so far, and numerator and denominator relative to it, so that no exponent is positive.
 * -1e30 stands for minus infinity, which WGSL need not support.
 */
export const runningSums = /* wgsl */ `
  struct Sums { largest: f32, numerator: f32, denominator: f32 }
  const nothing = Sums(-1e30, 0.0, 0.0);

  // sum * exp(x). Near 0 through exp(x) - 1: a scan multiplies by thousands of factors close to 1, and their errors would add up.
  fn scaled(sum: f32, x: f32) -> f32 {
    let y = clamp(x, -0.35, 0.35);
    let less = y * (1.0 + y * (1.0 / 2.0 + y * (1.0 / 6.0 + y * (1.0 / 24.0 + y * (1.0 / 120.0 + y / 720.0)))));
    return select(sum * exp(x), fma(sum, less, sum), x == y);
  }

  fn merged(a: Sums, b: Sums) -> Sums {
    let x = b.largest - a.largest;
    if (x <= 0.0) { return Sums(a.largest, a.numerator + scaled(b.numerator, x), a.denominator + scaled(b.denominator, x)); }
    return Sums(b.largest, scaled(a.numerator, -x) + b.numerator, scaled(a.denominator, -x) + b.denominator);
  }

  fn included(sums: Sums, k: f32, v: f32) -> Sums {
    let x = k - sums.largest;
    if (x <= 0.0) {
      let weight = exp(x);
      return Sums(sums.largest, fma(weight, v, sums.numerator), sums.denominator + weight);
    }
    return Sums(k, scaled(sums.numerator, -x) + v, scaled(sums.denominator, -x) + 1.0);
  }

  // 0 where nothing was included.
  fn meanOf(sums: Sums) -> f32 { return sums.numerator / select(1.0, sums.denominator, sums.denominator > 0.0); }
  fn logOf(sums: Sums) -> f32 { return sums.largest + log(select(1.0, sums.denominator, sums.denominator > 0.0)); }
`;
