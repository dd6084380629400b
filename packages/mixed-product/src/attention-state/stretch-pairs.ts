import { checkTensor, defineOperator, ShapeError, withImplementation } from '@mixfold/tensor-ops';
import { pad, slice, type Tensor } from '@tensorflow/tfjs-core';

const attributes: { row: number; rows: number; columns: number } = { row: 0, rows: 0, columns: 0 };

/** The gradient of `pairsPartOperator`. */
export const pairsPartBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AttentionPairsPartBackward',
  publicName: 'pairsPart',
  inputs: { table: '...table', dPart: '...part' },
  attributes,
  outputs: { dTable: '...table' },
  compose({ table, dPart }, { row, rows, columns }) {
    const [height, width] = table.shape.slice(-2) as [number, number];
    const outside: [number, number][] = table.shape.slice(0, -2).map(() => [0, 0]);
    return { dTable: pad(dPart, [...outside, [row, height - row - rows], [0, width - columns]]) };
  },
});

/** Some rows and the first columns of a table of pairs: a slice whose gradient needs none of tfjs. */
export const pairsPartOperator = /* @__PURE__ */ defineOperator({
  name: 'AttentionPairsPart',
  publicName: 'pairsPart',
  inputs: { table: '...table' },
  attributes,
  outputs: { part: '...part' },
  shapes: ({ table }, { rows, columns }) => ({ '...part': [...table!.slice(0, -2), rows, columns] }),
  compose: ({ table }, { row, rows, columns }) => ({ part: partOf(table, row, rows, columns) }),
  backward: pairsPartBackwardOperator,
});

function partOf(table: Tensor, row: number, rows: number, columns: number): Tensor {
  const before = table.shape.slice(0, -2);
  return slice(table, [...before.map(() => 0), row, 0], [...before, rows, columns]);
}

/**
 * What a mask or a bias says of a stretch of `time` targets behind `position` others, and of all sources up to its last. It is given for the stretch, or for the
 * whole sequence; columns of sources to come are left out.
 *
 * @returns the tensor itself where nothing is to be cut.
 * @throws DTypeError if it is no tensor; ShapeError if it ends before the stretch does.
 */
export function stretchPairs(functionName: string, name: 'mask' | 'bias', table: Tensor, position: number, time: number): Tensor {
  checkTensor(functionName, name, table, name === 'mask' ? ['bool', 'int32', 'float32'] : ['float32']);
  const end = position + time;
  const [rows, columns] = table.shape.slice(-2) as [number, number];
  const isStretch = rows === time || rows === 1;
  if (table.shape.length < 2 || columns < end || (!isStretch && rows < end)) {
    throw new ShapeError(
      `${functionName}: ${name} [${table.shape.join(', ')}] must cover ${end} sources, and ${time} targets or, for the whole sequence, ${end}; ` +
        `the state has seen ${position} and there are ${time} more`,
    );
  }
  const [row, count] = isStretch ? [0, rows] : [position, time];
  if (columns === end && count === rows) return table;
  if (name === 'mask') return partOf(table, row, count, end);
  return withImplementation('composed', () => pairsPartOperator.run({ table }, { row, rows: count, columns: end }).part);
}
