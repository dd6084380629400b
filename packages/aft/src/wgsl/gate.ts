import type { QueryActivation } from '../query-activation';

const bodies: Record<Exclude<QueryActivation, null>, string> = {
  linear: 'return vec2f(q, 1.0);',
  relu: 'return vec2f(max(q, 0.0), select(0.0, 1.0, q > 0.0));',
  // Through exp(-|q|), which cannot overflow; WGSL leaves an infinite exp undefined.
  sigmoid: `
    let e = exp(-abs(q));
    let s = 1.0 / (1.0 + e);
    return vec2f(select(e * s, s, q >= 0.0), e * s * s);`,
  // WGSL's own tanh overflows on some GPUs. Near 0 the difference 1 - e loses digits that the series keeps.
  tanh: `
    let e = exp(-2.0 * abs(q));
    let s = 1.0 / (1.0 + e);
    let x = min(q * q, 0.04);
    let series = q * (1.0 + x * (-1.0 / 3.0 + x * (2.0 / 15.0 + x * (-17.0 / 315.0))));
    return vec2f(select(sign(q) * (1.0 - e) * s, series, abs(q) < 0.2), 4.0 * e * s * s);`,
};

/**
 * WGSL of `fn gated(i: u32) -> vec2f`: the gate at element `i` and its derivative. It reads the binding `query`, unless there is no
 * activation: then the gate is 1 and the program binds no query.
 */
export function gateSource(activation: QueryActivation): string {
  if (activation === null) return 'fn gated(i: u32) -> vec2f { return vec2f(1.0, 0.0); }';
  return `fn gated(i: u32) -> vec2f { let q = query[i]; ${bodies[activation]} }`;
}
