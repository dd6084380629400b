import { madd } from '../../../packages/tensor-ops/assembly/math';

// The register peak of a build: independent chains of multiply-adds and no memory. Which number of chains is best depends on the engine's
// register allocator and the processor's latency, so there are four to take the best of. Each `peak` does `rounds` * chains * 8 flops.

export function peak8(rounds: i32, out: usize): void {
  const x = f32x4.splat(0.999), y = f32x4.splat(0.001);
  let a = f32x4.splat(0), b = f32x4.splat(1), c = f32x4.splat(2), d = f32x4.splat(3);
  let e = f32x4.splat(4), f = f32x4.splat(5), g = f32x4.splat(6), h = f32x4.splat(7);
  for (let i = 0; i < rounds; i++) {
    a = madd(a, x, y); b = madd(b, x, y); c = madd(c, x, y); d = madd(d, x, y);
    e = madd(e, x, y); f = madd(f, x, y); g = madd(g, x, y); h = madd(h, x, y);
  }
  v128.store(out, sum4(sum4(a, b, c, d), sum4(e, f, g, h), x, y));
}

export function peak10(rounds: i32, out: usize): void {
  const x = f32x4.splat(0.999), y = f32x4.splat(0.001);
  let a = f32x4.splat(0), b = f32x4.splat(1), c = f32x4.splat(2), d = f32x4.splat(3);
  let e = f32x4.splat(4), f = f32x4.splat(5), g = f32x4.splat(6), h = f32x4.splat(7);
  let j = f32x4.splat(8), k = f32x4.splat(9);
  for (let i = 0; i < rounds; i++) {
    a = madd(a, x, y); b = madd(b, x, y); c = madd(c, x, y); d = madd(d, x, y);
    e = madd(e, x, y); f = madd(f, x, y); g = madd(g, x, y); h = madd(h, x, y);
    j = madd(j, x, y); k = madd(k, x, y);
  }
  v128.store(out, sum4(sum4(a, b, c, d), sum4(e, f, g, h), j, k));
}

export function peak12(rounds: i32, out: usize): void {
  const x = f32x4.splat(0.999), y = f32x4.splat(0.001);
  let a = f32x4.splat(0), b = f32x4.splat(1), c = f32x4.splat(2), d = f32x4.splat(3);
  let e = f32x4.splat(4), f = f32x4.splat(5), g = f32x4.splat(6), h = f32x4.splat(7);
  let j = f32x4.splat(8), k = f32x4.splat(9), l = f32x4.splat(10), m = f32x4.splat(11);
  for (let i = 0; i < rounds; i++) {
    a = madd(a, x, y); b = madd(b, x, y); c = madd(c, x, y); d = madd(d, x, y);
    e = madd(e, x, y); f = madd(f, x, y); g = madd(g, x, y); h = madd(h, x, y);
    j = madd(j, x, y); k = madd(k, x, y); l = madd(l, x, y); m = madd(m, x, y);
  }
  v128.store(out, sum4(sum4(a, b, c, d), sum4(e, f, g, h), sum4(j, k, l, m), y));
}

export function peak14(rounds: i32, out: usize): void {
  const x = f32x4.splat(0.999), y = f32x4.splat(0.001);
  let a = f32x4.splat(0), b = f32x4.splat(1), c = f32x4.splat(2), d = f32x4.splat(3);
  let e = f32x4.splat(4), f = f32x4.splat(5), g = f32x4.splat(6), h = f32x4.splat(7);
  let j = f32x4.splat(8), k = f32x4.splat(9), l = f32x4.splat(10), m = f32x4.splat(11);
  let n = f32x4.splat(12), o = f32x4.splat(13);
  for (let i = 0; i < rounds; i++) {
    a = madd(a, x, y); b = madd(b, x, y); c = madd(c, x, y); d = madd(d, x, y);
    e = madd(e, x, y); f = madd(f, x, y); g = madd(g, x, y); h = madd(h, x, y);
    j = madd(j, x, y); k = madd(k, x, y); l = madd(l, x, y); m = madd(m, x, y);
    n = madd(n, x, y); o = madd(o, x, y);
  }
  v128.store(out, sum4(sum4(a, b, c, d), sum4(e, f, g, h), sum4(j, k, l, m), sum4(n, o, x, y)));
}

// @ts-ignore: decorator
@inline
function sum4(a: v128, b: v128, c: v128, d: v128): v128 {
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}
