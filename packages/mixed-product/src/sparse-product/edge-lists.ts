import { type Tensor1D, tensor1d } from '@tensorflow/tfjs-core';

/** Edges between two sides, by number: edge e goes from `column[e]` to `row[e]`. */
export interface EdgeSides {
  readonly row: Int32Array;
  readonly column: Int32Array;
  readonly rows: number;
  readonly columns: number;
}

/** What the operators on edges take beside their tensors. */
export interface EdgeTensors {
  readonly edgeRow: Tensor1D;
  readonly edgeColumn: Tensor1D;
  readonly rowStart: Tensor1D;
  readonly rowEdge: Tensor1D;
  readonly columnStart: Tensor1D;
  readonly columnEdge: Tensor1D;
}

interface Listing {
  /** Per node the place of its first edge in `order`, and the end. */
  readonly start: Int32Array;
  /** Edges by node, those of a node in the order they were given. */
  readonly order: Int32Array;
  readonly longest: number;
}

/** Edges as operators take them, listed by row and by column, once. */
export interface EdgeLists {
  readonly rows: number;
  readonly columns: number;
  /** The edges as they were given. */
  readonly sides: EdgeSides;
  /** Made anew if a tidy has freed them. */
  tensors(): EdgeTensors;
  readonly attributes: { readonly longestRow: number; readonly longestColumn: number };
  /** The same edges the other way round; shares the tensors. */
  transposed(): EdgeLists;
  dispose(): void;
}

/** Lists the edges. The tensors belong to the scope of this call. */
export function edgeLists({ row, column, rows, columns }: EdgeSides): EdgeLists {
  const [byRow, byColumn] = [listed(row, rows), listed(column, columns)];
  const arrays: Record<keyof EdgeTensors, Int32Array> = {
    edgeRow: row,
    edgeColumn: column,
    rowStart: byRow.start,
    rowEdge: byRow.order,
    columnStart: byColumn.start,
    columnEdge: byColumn.order,
  };
  let made = upload(arrays);
  const tensors = () => {
    if (made.edgeRow.isDisposed) made = upload(arrays);
    return made;
  };
  const lists: EdgeLists = {
    rows,
    columns,
    sides: { row, column, rows, columns },
    tensors,
    attributes: { longestRow: byRow.longest, longestColumn: byColumn.longest },
    transposed: () => ({
      rows: columns,
      columns: rows,
      sides: { row: column, column: row, rows: columns, columns: rows },
      tensors() {
        const { edgeRow, edgeColumn, rowStart, rowEdge, columnStart, columnEdge } = tensors();
        return {
          edgeRow: edgeColumn,
          edgeColumn: edgeRow,
          rowStart: columnStart,
          rowEdge: columnEdge,
          columnStart: rowStart,
          columnEdge: rowEdge,
        };
      },
      attributes: { longestRow: byColumn.longest, longestColumn: byRow.longest },
      transposed: () => lists,
      dispose: () => lists.dispose(),
    }),
    dispose() {
      for (const tensor of Object.values(made)) tensor.dispose();
    },
  };
  return lists;
}

const upload = (arrays: Record<keyof EdgeTensors, Int32Array>): EdgeTensors =>
  Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, tensor1d(values, 'int32')])) as unknown as EdgeTensors;

/** A counting sort. */
function listed(node: Int32Array, nodes: number): Listing {
  const start = new Int32Array(nodes + 1);
  for (const at of node) start[at + 1]!++;
  let longest = 0;
  for (let i = 0; i < nodes; i++) {
    longest = Math.max(longest, start[i + 1]!);
    start[i + 1]! += start[i]!;
  }
  const next = start.slice();
  const order = new Int32Array(node.length);
  for (let e = 0; e < node.length; e++) order[next[node[e]!]!++] = e;
  return { start, order, longest };
}
