import type { GridGeometry } from './geometry';

/** How a program reads what its sums run over. Each is WGSL in `lane`, `other` (a line) and `j` (a place of it). */
export interface Elements {
  /** The log of the element's weight; -1e30 if it does not exist. */
  log: string;
  /** What is summed into the numerator, and into the denominator. */
  numerator: string;
  denominator: string;
  /** The partial sums, as `partialOf` places them, from `offset` on in the tensor `partials`. */
  partials: string;
  offset: string;
  /** Whether sums over the targets of a source are wanted, not over the sources of a target. */
  isReverse: boolean;
}

/**
 * WGSL of `farSums(lane, line, begin, end)`: the sum of all that no place of a stretch reads by any tap or differs in, and of
 * `sumsAt(lane, line, begin, end, x, far)`: the whole sum at place `x` of the stretch, which takes in what is near one by one. So every term is
 * positive, and relative to the largest of its own sum. `biased` keeps what rounding takes from the sum of log and bias, for at 1e4 it is as much as
 * moves a weight.
 */
export function sumsSource(
  { log, numerator, denominator, partials, offset, isReverse }: Elements,
  { windowHeight, windowWidth, centerY, centerX, causal }: GridGeometry,
): string {
  const [aboveY, aboveX] = isReverse ? [windowHeight - 1 - centerY, windowWidth - 1 - centerX] : [centerY, centerX];
  const [seesBefore, seesAfter] = [!causal || !isReverse, !causal || isReverse];
  const taps = windowHeight * windowWidth;
  const tap = `u32(dy * ${windowWidth} + dx)`;
  const chunks = (begin: string, end: string) =>
    `for (var chunk = ${begin}; chunk < ${end}; chunk++) { sums = merged(sums, partialAt(lane, other, chunk)); }`;
  const single = (begin: string, end: string) =>
    `for (var j = ${begin}; j < ${end}; j++) { sums = biased(sums, logAt(lane, other, j), 0.0, lane, other, j); }`;
  return /* wgsl */ `
fn logAt(lane: u32, other: u32, j: u32) -> f32 { return ${log}; }

fn biased(sums: Sums, weight: f32, bias: f32, lane: u32, other: u32, j: u32) -> Sums {
  if (weight < -5e29) { return sums; }
  let terms = vec2f(${numerator}, ${denominator});
  let both = weight + bias;
  let taken = both - weight;
  let rest = (weight - (both - taken)) + (bias - taken);
  let x = both - sums.largest;
  if (x <= 0.0) {
    let factor = exp(x + rest);
    return Sums(sums.largest, fma(factor, terms.x, sums.numerator), fma(factor, terms.y, sums.denominator));
  }
  return Sums(both, scaled(sums.numerator, -x) + scaled(terms.x, rest), scaled(sums.denominator, -x) + scaled(terms.y, rest));
}

fn partialAt(lane: u32, line: u32, chunk: u32) -> Sums {
  let at = ${offset} + partialOf(lane, line, chunk);
  return Sums(${partials}[at], ${partials}[at + uniforms.lanes], ${partials}[at + 2u * uniforms.lanes]);
}

fn firstNear(begin: u32) -> u32 { return u32(max(i32(begin) - ${aboveX}, 0)); }
fn endNear(end: u32) -> u32 { return min(u32(max(i32(end) + ${windowWidth - 1 - aboveX}, 0)), uniforms.width); }
fn firstLine(line: u32) -> u32 { return u32(max(i32(line) - ${aboveY}, 0)); }
fn endLine(line: u32) -> u32 { return min(u32(max(i32(line) + ${windowHeight - aboveY}, 0)), uniforms.height); }

fn farSums(lane: u32, line: u32, begin: u32, end: u32) -> Sums {
  var sums = nothing;
  let chunks = (uniforms.width - 1u) / uniforms.chunk + 1u;
  for (var other = 0u; other < uniforms.height; other++) {
    if (other < firstLine(line) || other >= endLine(line)) { ${chunks('0u', 'chunks')} continue; }
    ${seesBefore ? `{ let near = firstNear(begin); let whole = near / uniforms.chunk; ${chunks('0u', 'whole')} ${single('whole * uniforms.chunk', 'near')} }` : ''}
    ${
      seesAfter
        ? `{ let near = endNear(end); let whole = min((near + uniforms.chunk - 1u) / uniforms.chunk, chunks);
      ${single('near', 'min(whole * uniforms.chunk, uniforms.width)')} ${chunks('whole', 'chunks')} }`
        : ''
    }
  }
  return sums;
}

fn sumsAt(lane: u32, line: u32, begin: u32, end: u32, x: u32, far: Sums) -> Sums {
  var sums = far;
  let biases = headOf(lane) * ${taps}u;
  for (var other = firstLine(line); other < endLine(line); other++) {
    let dy = i32(other) - i32(line) + ${aboveY};
    for (var j = firstNear(begin); j < endNear(end); j++) {
      let dx = i32(j) - i32(x) + ${aboveX};
      if (dx >= 0 && dx < ${windowWidth}) {
        sums = biased(sums, logAt(lane, other, j), kernel[biases + ${isReverse ? `${taps - 1}u - ${tap}` : tap}], lane, other, j);
      } else if (${causal ? (isReverse ? 'j > x' : 'j < x') : 'true'}) {
        sums = biased(sums, logAt(lane, other, j), 0.0, lane, other, j);
      }
    }
  }
  return sums;
}`;
}
