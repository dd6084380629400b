import { SafetensorsError } from './safetensors-error';
import { elementBytes, MAX_HEADER_BYTES, type SafeTensor, type WritableDType } from './safetensors-format';

const LENGTH_BYTES = 8;
const dataTypes = { F32: Float32Array, I32: Int32Array, BOOL: Uint8Array } as const;

/**
 * Writes tensors as a safetensors file. The same tensors and metadata give the same bytes, in whatever order they are given:
 * larger elements come first, then names in code-unit order, which also aligns every tensor to its element size.
 *
 * @param tensors - by name; F32, I32 or BOOL.
 * @param metadata - strings by name.
 * @throws SafetensorsError if a name is `__metadata__`, a dtype cannot be written, or data do not fit their shape and dtype.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const sized = [...tensors].map(([name, tensor]) => ({ name, tensor, elementSize: elementSizeOf(name, tensor) }));
  const ordered = sized.sort((a, b) => b.elementSize - a.elementSize || (a.name < b.name ? -1 : 1));
  const fields: string[] = [];
  if (metadata.size > 0) {
    const sorted = [...metadata].sort(([a], [b]) => (a < b ? -1 : 1));
    fields.push(
      `"__metadata__":{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
    );
  }
  let offset = 0;
  for (const { name, tensor } of ordered) {
    const { dtype, shape, data } = tensor;
    const end = offset + data.byteLength;
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const text = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerBytes = Math.ceil(text.length / LENGTH_BYTES) * LENGTH_BYTES;
  if (headerBytes > MAX_HEADER_BYTES)
    throw new SafetensorsError(`the header would have ${headerBytes} bytes, more than ${MAX_HEADER_BYTES}`);

  const bytes = new Uint8Array(LENGTH_BYTES + headerBytes + offset).fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(text, LENGTH_BYTES);
  let place = LENGTH_BYTES + headerBytes;
  for (const { data } of ordered.map(({ tensor }) => tensor)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
    place += data.byteLength;
  }
  return bytes;
}

/** Bytes of one element, after checking that the tensor can be written. */
function elementSizeOf(name: string, { dtype, shape, data }: SafeTensor): number {
  const refuse = (problem: string): never => {
    throw new SafetensorsError(`tensor ${JSON.stringify(name)}: ${problem}`);
  };
  if (name === '__metadata__') refuse('this name is taken by the metadata');
  const type = dataTypes[dtype as WritableDType];
  if (type === undefined) return refuse(`dtype ${dtype} cannot be written; F32, I32 and BOOL can`);
  if (!(data instanceof type)) refuse(`${dtype} needs a ${type.name}`);
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0))
    refuse(`shape [${shape.join(', ')}] is not a list of counts`);
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length) refuse(`shape [${shape.join(', ')}] has ${size} elements, its data ${data.length}`);
  if (dtype === 'BOOL' && data.some((value) => value > 1)) refuse('BOOL data hold a value above 1');
  return elementBytes[dtype]!;
}
