import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from './read-safetensors';
import type { SafeTensor } from './safetensors-format';
import { writeSafetensors } from './write-safetensors';

const text = (header: string, data: number[] | Uint8Array = [], length = header.length): Uint8Array => {
  const encoded = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + encoded.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(encoded, 8);
  bytes.set(data, 8 + encoded.length);
  return bytes;
};

const entry = (fields: object) => JSON.stringify({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...fields } });

const some = new Map<string, SafeTensor>([
  ['weights.b', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e-45) }],
  ['ids', { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 2 ** 31 - 1) }],
  ['flags', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(0, 1, 1) }],
  ['__proto__', { dtype: 'F32', shape: [], data: Float32Array.of(7) }],
  ['empty', { dtype: 'F32', shape: [0, 5], data: new Float32Array(0) }],
]);

describe('round trip', () => {
  test('keeps names, types, shapes, bits and metadata', () => {
    const { tensors, metadata } = readSafetensors(writeSafetensors(some, new Map([['constructor', 'a "quoted" \u2603 text']])));
    expect(metadata).toEqual(new Map([['constructor', 'a "quoted" \u2603 text']]));
    expect([...tensors.keys()].sort()).toEqual([...some.keys()].sort());
    for (const [name, { dtype, shape, data }] of some) {
      const read = tensors.get(name)!;
      expect([read.dtype, read.shape]).toEqual([dtype, shape]);
      expect(Buffer.from(read.data.buffer)).toEqual(Buffer.from(data.buffer));
    }
  });

  test('the same tensors in another order give the same bytes', () => {
    expect(writeSafetensors(new Map([...some].reverse()))).toEqual(writeSafetensors(some));
  });

  test('data begin at a multiple of 8 and can stand at any place of a buffer', () => {
    const bytes = writeSafetensors(some);
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
    const moved = new Uint8Array(bytes.length + 3);
    moved.set(bytes, 3);
    for (const given of [moved.subarray(3), Buffer.from(moved.buffer, 3)]) {
      expect(readSafetensors(given).tensors.get('ids')).toEqual(some.get('ids'));
    }
  });

  test('half precision is widened', () => {
    const half = Uint8Array.from([0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c]);
    const read = (dtype: string) =>
      readSafetensors(text(entry({ dtype, shape: [4], data_offsets: [0, 8] }), half)).tensors.get('x')!.data;
    expect([...read('F16')]).toEqual([1, -2, 2 ** -24, Number.POSITIVE_INFINITY]);
    expect(read('BF16')[1]).toBe(-2);
  });
});

describe('refusals of the reader', () => {
  const valid = writeSafetensors(some);
  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'not a safetensors file: 0 bytes'],
    ['a header length beyond the cap', text('{}', [], 100_000_001), 'would have 100000001 bytes'],
    ['a header length beyond 2^53', Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 255]), 'not a safetensors file'],
    ['a header that ends behind the file', text('{}', [], 3), 'truncated: the header ends at byte 11, the file at 10'],
    ['another file', new TextEncoder().encode('%PDF-1.7 and more than eight bytes'), 'not a safetensors file'],
    ['a header that is no object', text('[]'), "does not begin with '{'"],
    ['a header with a byte order mark', text('\ufeff{}', [], 5), "does not begin with '{'"],
    ['invalid UTF-8', Uint8Array.from([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff]), 'the header is not valid'],
    ['a cut header', text('{"x":'), 'the header is not valid'],
    ['text after the header', text('{} x'), 'more text after the value'],
    [
      'a number with a leading zero',
      text('{"x":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}', [0, 0, 0, 0]),
      'the header is not valid',
    ],
    ['deep nesting', text(`{"x":${'['.repeat(5000)}${']'.repeat(5000)}}`), 'nested too deeply'],
    [
      'a name twice',
      text('{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0078":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      'occurs twice',
    ],
    ['metadata that are no strings', text('{"__metadata__":{"a":1}}'), 'is not a string'],
    ['metadata that are no object', text('{"__metadata__":[]}'), '__metadata__ is not an object'],
    ['an entry that is no object', text('{"x":3}'), 'its entry is not an object'],
    ['an unknown field', text(entry({ extra: 1 }), [0, 0, 0, 0]), 'unknown field "extra"'],
    ['an unknown dtype', text(entry({ dtype: 'constructor' }), [0, 0, 0, 0]), 'unknown dtype "constructor"'],
    [
      'a dtype without a counterpart',
      text(entry({ dtype: 'I64', data_offsets: [0, 8] }), new Uint8Array(8)),
      'dtype I64 has no counterpart',
    ],
    ['a negative length', text(entry({ shape: [-1] }), [0, 0, 0, 0]), 'shape is not a list'],
    ['a broken length', text(entry({ shape: [0.5] }), [0, 0, 0, 0]), 'shape is not a list'],
    [
      'a shape whose product overflows',
      text(entry({ shape: [2 ** 32, 2 ** 32] }), [0, 0, 0, 0]),
      'takes 73786976294838206464 bytes',
    ],
    ['offsets that run backwards', text(entry({ data_offsets: [4, 0] }), [0, 0, 0, 0]), 'run backwards'],
    ['one offset', text(entry({ data_offsets: [0] }), [0, 0, 0, 0]), 'not a pair'],
    ['a size that is not its shape', text(entry({ shape: [2] }), [0, 0, 0, 0]), 'takes 8 bytes, its data have 4'],
    ['odd bytes of a half', text(entry({ dtype: 'F16', data_offsets: [0, 3] }), [0, 0, 0]), 'takes 2 bytes, its data have 3'],
    ['a gap before the first', text(entry({ data_offsets: [4, 8] }), new Uint8Array(8)), '4 bytes before its data'],
    ['trailing bytes', text(entry({}), new Uint8Array(5)), '1 bytes after the last tensor'],
    ['data without a tensor', text('{}', [1]), '1 bytes after the last tensor'],
    ['a cut file', valid.subarray(0, valid.length - 1), 'truncated'],
    ['a bool of 2', text(entry({ dtype: 'BOOL', data_offsets: [0, 1] }), [2]), 'byte above 1'],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(
      expect.objectContaining({ name: 'SafetensorsError', message: expect.stringContaining(message) }),
    );
  });

  test('overlap, also behind an empty tensor at the same place', () => {
    const tensor = (shape: number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });
    const overlapping = { a: tensor([2], 0, 8), none: tensor([0], 4, 4), b: tensor([1], 4, 8) };
    expect(() => readSafetensors(text(JSON.stringify(overlapping), new Uint8Array(8)))).toThrow('overlap');
  });

  test('any damage gives the same tensors, other values, or a SafetensorsError, and nothing else', () => {
    const damage = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(damage, fc.option(fc.nat(valid.length)), (changes, cut) => {
        const bytes = valid.slice(0, cut ?? valid.length);
        for (const [place, value] of changes) if (place < bytes.length) bytes[place] = value;
        try {
          const { tensors } = readSafetensors(bytes);
          for (const { shape, data } of tensors.values())
            expect(data.length).toBe(shape.reduce((product, length) => product * length, 1));
        } catch (error) {
          expect((error as Error).name).toBe('SafetensorsError');
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe('refusals of the writer', () => {
  test.each<[string, SafeTensor, string]>([
    ['__metadata__', { dtype: 'F32', shape: [], data: new Float32Array(1) }, 'taken by the metadata'],
    ['x', { dtype: 'F16', shape: [1], data: new Float32Array(1) }, 'dtype F16 cannot be written'],
    ['x', { dtype: 'F32', shape: [2], data: new Float32Array(1) }, 'has 2 elements, its data 1'],
    ['x', { dtype: 'I32', shape: [1], data: new Float32Array(1) }, 'I32 needs a Int32Array'],
    ['x', { dtype: 'BOOL', shape: [1], data: Uint8Array.of(2) }, 'above 1'],
  ])('%s %o', (name, tensor, message) => {
    expect(() => writeSafetensors(new Map([[name, tensor]]))).toThrow(message);
  });
});
