import {
  add,
  cast,
  concat,
  equal,
  expandDims,
  gather,
  getBackend,
  getKernel,
  greaterEqual,
  less,
  logicalAnd,
  matMul,
  maximum,
  minimum,
  range,
  reshape,
  scalar,
  slice,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  tidy,
  unsortedSegmentSum,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';

/** Whether each id points into the table. */
const exists = (ids: Tensor, classes: number) =>
  logicalAnd(greaterEqual(ids, scalar(0, 'int32')), less(ids, scalar(classes, 'int32')));

export function composedEmbedding({ table, ids }: { table: Tensor2D; ids: Tensor }): Record<string, Tensor> {
  const [classes, dim] = table.shape;
  const flat = reshape(ids, [-1]);
  const inside = maximum(minimum(flat, scalar(classes - 1, 'int32')), scalar(0, 'int32'));
  const rows = gather(table, cast(inside, 'int32') as Tensor1D);
  const output = where(expandDims(exists(flat, classes), 1), rows, zerosLike(rows));
  return { output: reshape(output, [...ids.shape, dim]) };
}

/** Classes and positions of one product below. */
const CLASSES = 4096;
const POSITIONS = 512;

/**
 * The sum over positions of one-hot ids times what arrived, by blocks, so that neither memory nor rounding grow with the number of ids.
 */
function oneHotProduct(ids: Tensor1D, rows: Tensor2D, classes: number): Tensor {
  const count = ids.shape[0];
  const blocks: Tensor[] = [];
  for (let first = 0; first < classes; first += CLASSES) {
    const own = range(first, Math.min(first + CLASSES, classes), 1, 'int32');
    let sum: Tensor | undefined;
    for (let begin = 0; begin < count; begin += POSITIONS) {
      const size = Math.min(POSITIONS, count - begin);
      const before = sum;
      sum = tidy(() => {
        const oneHot = cast(equal(expandDims(own, 1), expandDims(slice(ids, begin, size), 0)), 'float32');
        const part = matMul(oneHot as Tensor2D, slice(rows, [begin, 0], [size, -1]));
        return before === undefined ? part : add(before, part);
      });
      before?.dispose();
    }
    blocks.push(sum!);
  }
  return blocks.length === 1 ? blocks[0]! : concat(blocks, 0);
}

/**
 * By tfjs's `UnsortedSegmentSum` where its backend has it. WASM lacks it, and on cpu it takes as long as a product with one-hot ids does but
 * keeps more in memory.
 */
export function composedEmbeddingBackward({
  table,
  ids,
  dOutput,
}: {
  table: Tensor2D;
  ids: Tensor;
  dOutput: Tensor;
}): Record<string, Tensor> {
  const [classes, dim] = table.shape;
  const flat = reshape(ids, [-1]) as Tensor1D;
  const rows = reshape(dOutput, [-1, dim]) as Tensor2D;
  if (getBackend() === 'cpu' || getKernel('UnsortedSegmentSum', getBackend()) == null) {
    // What arrives at no class is cleared, for 0 times it need not be 0.
    const counted = where(expandDims(exists(flat, classes), 1), rows, zerosLike(rows)) as Tensor2D;
    return { dTable: oneHotProduct(flat, counted, classes) };
  }
  // One more segment takes in what points nowhere.
  const segments = where<Tensor>(exists(flat, classes), flat, scalar(classes, 'int32'));
  const sums = unsortedSegmentSum(rows, cast(segments, 'int32') as Tensor1D, classes + 1);
  return { dTable: slice(sums, [0, 0], [classes, dim]) };
}
