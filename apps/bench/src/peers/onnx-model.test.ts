import { expect, it } from 'vitest';
import { onnxModel } from './onnx-model';

it('writes the bytes of onnx.proto', () => {
  const graph = { nodes: [['Softmax', ['x'], ['output'], { axis: -1 }]] as const };
  const text = Buffer.from(onnxModel(graph, [{ name: 'x', shape: [2, 300], type: 'float32' }])).toString('hex');
  const hex = (value: string) => Buffer.from(value).toString('hex');
  // Field 4 of a node is the operator; field 5 of an attribute's value -1 is ten bytes of a varint.
  expect(text).toContain(`2207${hex('Softmax')}`);
  expect(text).toContain(`0a04${hex('axis')}18ffffffffffffffffff01a00102`);
  // A dimension of 300 in two bytes.
  expect(text).toContain('0a0308ac02');
  // The operator set stands at the end: domain '', version 20.
  expect(text.endsWith('42040a001014')).toBe(true);
});
