/** A computation graph in terms of ONNX operators. Its inputs are the case's, its output is called 'output'. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  /** Values that belong to the graph. */
  readonly constants?: Readonly<Record<string, OnnxValue>>;
}

/** Operator, names of its inputs, names of its outputs, attributes. */
export type OnnxNode = readonly [
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: Readonly<Record<string, number | OnnxFloat | string | readonly number[]>>,
];

/** An attribute that is a float even where it is whole. */
export interface OnnxFloat {
  readonly float: number;
}

export interface OnnxValue {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A graph's input: its name, its shape, and what it holds. */
export interface OnnxInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: 'float32' | 'int32';
}

/** The operator set that the graphs are written for, and the file format that has it. */
const operatorSet = 20;
const formatVersion = 9;

/** Numbers of the fields of onnx.proto, and of its data types. */
const dataTypes = { float32: 1, int32: 6, int64: 7 } as const;
const attributeTypes = { float: 1, integer: 2, text: 3, integers: 7 } as const;

/** A model file: the protocol buffer of `onnx.proto`, as far as inference needs it. */
export function onnxModel({ nodes, constants = {} }: OnnxGraph, inputs: readonly OnnxInput[]): Uint8Array {
  const graph = [
    ...nodes.map((node) => message(1, nodeOf(node))),
    text(2, 'case'),
    ...Object.entries(constants).map(([name, value]) => message(5, tensorOf(name, value))),
    ...inputs.map(({ name, shape, type }) => message(11, valueInfo(name, dataTypes[type], shape))),
    message(12, valueInfo('output', dataTypes.float32)),
  ];
  return join([
    integer(1, formatVersion),
    text(2, 'mixfold'),
    message(7, graph),
    message(8, [text(1, ''), integer(2, operatorSet)]),
  ]);
}

function nodeOf([operator, inputs, outputs, attributes = {}]: OnnxNode): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) => message(5, [text(1, name), ...attributeOf(value)])),
  ];
}

function attributeOf(value: number | OnnxFloat | string | readonly number[]): Uint8Array[] {
  if (typeof value === 'number') return [integer(3, value), integer(20, attributeTypes.integer)];
  if (typeof value === 'string') return [text(4, value), integer(20, attributeTypes.text)];
  if ('float' in value) return [float(2, value.float), integer(20, attributeTypes.float)];
  return [...value.map((each) => integer(8, each)), integer(20, attributeTypes.integers)];
}

function tensorOf(name: string, { shape, data }: OnnxValue): Uint8Array[] {
  const type = data instanceof Float32Array ? dataTypes.float32 : dataTypes.int64;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...shape.map((size) => integer(1, size)), integer(2, type), text(8, name), lengthDelimited(9, bytes)];
}

function valueInfo(name: string, type: number, shape?: readonly number[]): Uint8Array[] {
  const sizes = shape
    ? [
        message(
          2,
          shape.map((size) => message(1, [integer(1, size)])),
        ),
      ]
    : [];
  return [text(1, name), message(2, [message(1, [integer(1, type), ...sizes])])];
}

// The wire format: a key of field number and type, then a varint, four bytes, or a length and as many bytes.

function integer(field: number, value: number): Uint8Array {
  return join([varint(field << 3), varint(value)]);
}

function float(field: number, value: number): Uint8Array {
  return join([varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)]);
}

function text(field: number, value: string): Uint8Array {
  return lengthDelimited(field, new TextEncoder().encode(value));
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  return lengthDelimited(field, join(parts));
}

function lengthDelimited(field: number, bytes: Uint8Array): Uint8Array {
  return join([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

/** Seven bits a byte, the lowest first; negative numbers as 64-bit ones. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
