import { expect, test } from 'vitest';
import { workgroupMemory } from './workgroup-memory';

test.each<[string, number]>([
  ['var<workgroup> a: f32;', 16],
  ['var<workgroup> a: array<f32, 64>;', 256],
  ['var<workgroup> a: array<vec4f, 33 * 8>;', 4224],
  ['var < workgroup > a : array<array<vec3f, 2>, 3u>;', 96],
  ['const n = 8u; const m: u32 = (n + 1u) * n - 2; var<workgroup> a: array<i32, m>;', 288],
  ['var<workgroup> a: array<f32, workgroupSize.x * 4>;', 1024],
  ['var<workgroup> a: atomic<u32>;', 16],
  ['var<workgroup> a: array<vec2<f16>, 9>;', 48],
  ['var<workgroup> a: mat3x2f;', 32],
  ['struct Pair { first: f32, second: vec3f, } alias Pairs = array<Pair, 2>; var<workgroup> a: Pairs;', 64],
])('%s is %i bytes', (code, bytes) => {
  expect(workgroupMemory(code, { 'workgroupSize.x': 64 })).toEqual({ a: bytes });
});

test.each(['array<f32, n>', 'array<f32, 4.5>', 'array<Unknown, 4>', 'array<f32>'])(
  'a size that cannot be told is refused: %s',
  (type) => {
    expect(() => workgroupMemory(`var<workgroup> a: ${type};`, {})).toThrow(
      `the size of workgroup variable 'a: ${type}' cannot be told; write its length as a number`,
    );
  },
);
