import { parseStrictJson, type StrictJson } from './parse-strict-json';
import { SafetensorsError } from './safetensors-error';
import { elementBytes, MAX_HEADER_BYTES, type ReadableDType, type SafeTensor, type Safetensors } from './safetensors-format';
import { widenBrainHalf, widenHalf } from './widen-half';

const LENGTH_BYTES = 8;

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Reads a safetensors file, checking everything that the format promises before any data is touched: length of the header, its
 * JSON, shapes against sizes, and that the tensors cover the data part exactly, without gap or overlap.
 *
 * @param bytes - the whole file.
 * @returns Tensors and metadata; the data are copies. F16 and BF16 are widened to float32.
 * @throws SafetensorsError naming the tensor and the fault; whatever the bytes, nothing else is thrown, and memory is
 *   bounded by the size of the file, never by a number in it.
 * @see https://github.com/huggingface/safetensors#format
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { header, dataBegin } = readHeader(bytes);
  const metadata = readMetadata(header.get('__metadata__'));
  header.delete('__metadata__');
  const dataBytes = bytes.length - dataBegin;
  const entries = [...header].map(([name, entry]) => readEntry(name, entry, dataBytes));
  checkCoverage(entries, dataBytes);
  const tensors = new Map<string, SafeTensor>();
  for (const entry of entries)
    tensors.set(entry.name, readTensor(entry, bytes.subarray(dataBegin + entry.begin, dataBegin + entry.end)));
  return { tensors, metadata };
}

function readHeader(bytes: Uint8Array): { header: Map<string, StrictJson>; dataBegin: number } {
  if (bytes.length < LENGTH_BYTES)
    throw new SafetensorsError(`not a safetensors file: ${bytes.length} bytes, shorter than the length of its header`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (headerBytes > BigInt(MAX_HEADER_BYTES))
    throw new SafetensorsError(`not a safetensors file: its header would have ${headerBytes} bytes`);
  const dataBegin = LENGTH_BYTES + Number(headerBytes);
  if (dataBegin > bytes.length)
    throw new SafetensorsError(`truncated: the header ends at byte ${dataBegin}, the file at ${bytes.length}`);
  let header: StrictJson;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(LENGTH_BYTES, dataBegin));
    if (text[0] !== '{') throw new SyntaxError("it does not begin with '{'");
    header = parseStrictJson(text);
  } catch (error) {
    throw new SafetensorsError(`not a safetensors file: the header is not valid (${(error as Error).message})`);
  }
  return { header: header as Map<string, StrictJson>, dataBegin };
}

function readMetadata(given: StrictJson | undefined): Map<string, string> {
  if (given === undefined) return new Map();
  if (!(given instanceof Map)) throw new SafetensorsError('__metadata__ is not an object');
  for (const [name, value] of given) {
    if (typeof value !== 'string') throw new SafetensorsError(`__metadata__: ${JSON.stringify(name)} is not a string`);
  }
  return given as Map<string, string>;
}

function readEntry(name: string, entry: StrictJson, dataBytes: number): Entry {
  const refuse = (problem: string): never => {
    throw new SafetensorsError(`tensor ${JSON.stringify(name)}: ${problem}`);
  };
  if (!(entry instanceof Map)) return refuse('its entry is not an object');
  for (const field of entry.keys())
    if (!['dtype', 'shape', 'data_offsets'].includes(field)) refuse(`unknown field ${JSON.stringify(field)}`);
  const dtype = entry.get('dtype');
  const shape = entry.get('shape');
  const offsets = entry.get('data_offsets');
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) return refuse(`unknown dtype ${JSON.stringify(dtype)}`);
  if (!isCounts(shape)) return refuse('shape is not a list of whole numbers, 0 or above');
  if (!isCounts(offsets) || offsets.length !== 2) return refuse('data_offsets is not a pair of whole numbers, 0 or above');
  const [begin, end] = offsets as [number, number];
  if (begin > end) return refuse(`data_offsets run backwards, from ${begin} to ${end}`);
  if (end > dataBytes) return refuse(`truncated: its data end at byte ${end} of ${dataBytes}`);
  const size = shape.reduce((product, length) => product * BigInt(length), BigInt(elementBytes[dtype]!));
  if (size !== BigInt(end - begin))
    return refuse(`shape [${shape.join(', ')}] of ${dtype} takes ${size} bytes, its data have ${end - begin}`);
  return { name, dtype, shape, begin, end };
}

function isCounts(value: StrictJson | undefined): value is number[] {
  return (
    Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && !Object.is(count, -0) && (count as number) >= 0)
  );
}

/** Every byte of the data belongs to exactly one tensor; an empty tensor may stand on any border. */
function checkCoverage(entries: readonly Entry[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw new SafetensorsError(`tensor ${JSON.stringify(name)}: its data overlap another tensor's`);
    if (begin > covered)
      throw new SafetensorsError(`tensor ${JSON.stringify(name)}: ${begin - covered} bytes before its data belong to no tensor`);
    covered = end;
  }
  if (covered !== dataBytes) throw new SafetensorsError(`${dataBytes - covered} bytes after the last tensor belong to no tensor`);
}

function readTensor({ name, dtype, shape }: Entry, data: Uint8Array): SafeTensor {
  // Not `slice`, which copies nothing where the file came as a Buffer.
  const copy = () => new Uint8Array(data).buffer;
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data: new Float32Array(copy()) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(copy()) };
    case 'F16':
      return { dtype, shape, data: widenHalf(new Uint16Array(copy())) };
    case 'BF16':
      return { dtype, shape, data: widenBrainHalf(new Uint16Array(copy())) };
    case 'BOOL':
      if (data.some((value) => value > 1))
        throw new SafetensorsError(`tensor ${JSON.stringify(name)}: BOOL data hold a byte above 1`);
      return { dtype, shape, data: new Uint8Array(data) };
    default:
      throw new SafetensorsError(
        `tensor ${JSON.stringify(name)}: dtype ${dtype} has no counterpart in tfjs; ${(['F32', 'F16', 'BF16', 'I32', 'BOOL'] satisfies ReadableDType[]).join(', ')} have`,
      );
  }
}
