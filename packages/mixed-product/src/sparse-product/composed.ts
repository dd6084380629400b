import {
  add,
  cast,
  concat,
  expandDims,
  fill,
  gather,
  less,
  minimum,
  mul,
  scalar,
  slice,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  tidy,
  zeros,
} from '@tensorflow/tfjs-core';

/** The edges by the rows they end in, or by the columns they start from. */
export interface ListedEdges {
  /** Per edge the row of the other side, which is read. */
  readonly gathered: Tensor;
  /** Per row the place in `order` of its first edge; one more for the end. */
  readonly start: Tensor;
  readonly order: Tensor;
  /** Edges of the row that has most. */
  readonly longest: number;
}

/** Edges, of those that each row has, that are added before they join the sum. */
const SPAN = 64;

/** The edge at a place of every row's list; where a row has none left, the number of edges: one behind the last, whose weight is 0. */
export function edgesAt({ start, order }: Pick<ListedEdges, 'start' | 'order'>, place: number): Tensor1D {
  const [rows, count] = [start.shape[0]! - 1, order.shape[0]!];
  const at = add(slice(start, [0], [rows]), scalar(place, 'int32'));
  const exists = cast(less(at, slice(start, [1], [rows])), 'int32');
  const inside = cast(minimum(at, scalar(count - 1, 'int32')), 'int32') as Tensor1D;
  const behind = scalar(count, 'int32');
  return cast(add(mul(exists, sub(gather(order, inside), behind)), behind), 'int32') as Tensor1D;
}

/** `x` with one more entry along an axis. */
export function padded(x: Tensor, axis: number, value: number): Tensor {
  const shape = x.shape.map((size, i) => (i === axis ? 1 : size));
  return concat([x, fill(shape, value, x.dtype as 'float32' | 'int32')], axis);
}

/** One edge of every row at a time: memory of a few outputs, whatever the number of edges. */
export function composedProduct(x: Tensor, weight: Tensor, edges: ListedEdges, shape: number[]): Tensor {
  return tidy(() => {
    const [rows, weights] = [padded(x, 1, 0), padded(weight, 1, 0)];
    const gathered = padded(edges.gathered, 0, x.shape[1]!) as Tensor1D;
    let total: Tensor = zeros(shape);
    for (let begin = 0; begin < edges.longest; begin += SPAN) {
      const before = total;
      total = tidy(() => {
        let part: Tensor = zeros(shape);
        for (let place = begin; place < Math.min(begin + SPAN, edges.longest); place++) {
          const whole = part;
          part = tidy(() => {
            const edge = edgesAt(edges, place);
            const products = mul(gather(rows, gather(gathered, edge), 1), expandDims(gather(weights, edge, 1), 2));
            return add(whole, products);
          });
          whole.dispose();
        }
        return add(before, part);
      });
      before.dispose();
    }
    return total;
  });
}

/** Edges whose rows are gathered at once. */
const BLOCK = 1024;

/** The inner product per edge of a row of each side, by blocks of edges. */
export function composedDots(left: Tensor, right: Tensor, column: Tensor, row: Tensor, samples: number): Tensor {
  const count = column.shape[0]!;
  const blocks: Tensor[] = [];
  for (let begin = 0; begin < count; begin += BLOCK) {
    const size = Math.min(BLOCK, count - begin);
    blocks.push(
      tidy(() => {
        const rowsOf = (x: Tensor, index: Tensor) => gather(x, slice(index, [begin], [size]) as never, 1);
        const dots = sum(mul(rowsOf(left, column), rowsOf(right, row)), 2);
        return samples === 1 ? sum(dots, 0, true) : dots;
      }),
    );
  }
  return concat(blocks, 1);
}

interface SparseInputs {
  x: Tensor;
  weight: Tensor;
  edgeRow: Tensor;
  edgeColumn: Tensor;
  rowStart: Tensor;
  rowEdge: Tensor;
  columnStart: Tensor;
  columnEdge: Tensor;
}

type Longest = { longestRow: number; longestColumn: number };
type Call = { outputShapes: Readonly<Record<string, number[]>> };

export const byRow = (given: Omit<SparseInputs, 'x' | 'weight'>, { longestRow }: Longest): ListedEdges => ({
  gathered: given.edgeColumn,
  start: given.rowStart,
  order: given.rowEdge,
  longest: longestRow,
});

export const byColumn = (given: Omit<SparseInputs, 'x' | 'weight'>, { longestColumn }: Longest): ListedEdges => ({
  gathered: given.edgeRow,
  start: given.columnStart,
  order: given.columnEdge,
  longest: longestColumn,
});

export function composedSparseProduct(given: SparseInputs, longest: Longest, { outputShapes }: Call): Record<string, Tensor> {
  return { output: composedProduct(given.x, given.weight, byRow(given, longest), outputShapes.output!) };
}

export function composedSparseProductBackward(
  given: SparseInputs & { dOutput: Tensor },
  longest: Longest,
  { outputShapes: { dX, dWeight } }: Call,
): Record<string, Tensor> {
  const { x, weight, edgeColumn, edgeRow, dOutput } = given;
  return {
    ...(dX ? { dX: composedProduct(dOutput, weight, byColumn(given, longest), dX) } : {}),
    ...(dWeight ? { dWeight: composedDots(x, dOutput, edgeColumn, edgeRow, dWeight[0]!) } : {}),
  };
}
