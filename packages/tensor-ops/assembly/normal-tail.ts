import { madd, splat } from './math';

/**
 * The share of the normal distribution beyond a magnitude, given e^(-magnitude^2 / 2): that times a polynomial in 1 / (1 + 0.35 magnitude),
 * minimax in relative error (3.2e-8 before rounding), so that the tail keeps its digits.
 */
// @ts-ignore: decorator
@inline
export function normalTail(magnitude: v128, bell: v128): v128 {
  const one = splat(1.0);
  const t = f32x4.div(one, madd(magnitude, splat(0.35), one));
  let p = madd(splat(-0.029125963855403163), t, splat(0.14387269840189135));
  p = madd(p, t, splat(-0.2555054816672961));
  p = madd(p, t, splat(0.15893028632844314));
  p = madd(p, t, splat(-0.022937782357617925));
  p = madd(p, t, splat(0.1054331892408521));
  p = madd(p, t, splat(0.11985237915709772));
  p = madd(p, t, splat(0.13985908941496894));
  p = madd(p, t, splat(0.13962156945633153));
  return f32x4.mul(f32x4.mul(p, t), bell);
}
