import { matMul } from '@mixfold/tensor-ops';
import { pad, reshape, reverse, slice, type Tensor2D, type Tensor3D, type Tensor4D } from '@tensorflow/tfjs-core';
import { linearMap } from '../tape/linear-map';
import { combined, permuted, spreadAlong, viewAs } from '../tape/views';
import { biased } from './scores';
import type { RelativePositions } from './structure';

/**
 * What relative positions add to the scores of `key` and `query [batch, heads, nodes, size]`, each `[batch, heads, target, source]`. Products with a table are
 * made once per node and offset, `[nodes, offsets]`, and moved to their pairs.
 */
export function relativeScores(
  { keyTable, queryTable, positionBias }: RelativePositions,
  key: Tensor4D,
  query: Tensor4D,
  queryBias: Tensor2D | undefined,
): Tensor4D[] {
  const [batch, heads, source, size] = key.shape;
  const target = query.shape[2];
  const offsets = source + target - 1;
  const tableOf = (table: Tensor2D | Tensor3D): Tensor3D =>
    table.rank === 2 ? spreadAlong(table, 0, heads) : (table as Tensor3D);
  /** Every node with every row of its head's table: `[batch heads, nodes, offsets]`. */
  const met = (nodes: Tensor4D, table: Tensor3D): Tensor3D => {
    const length = nodes.shape[2];
    const byHead = viewAs(permuted(nodes, [1, 0, 2, 3]), [heads, batch * length, size]);
    const products = viewAs(matMul(byHead, table, { transposeB: true }), [heads, batch, length, offsets]);
    return viewAs(permuted(products, [1, 0, 2, 3]), [batch * heads, length, offsets]);
  };
  const parts: Tensor4D[] = [];
  if (keyTable !== undefined) {
    let asked = query;
    if (positionBias !== undefined) {
      asked = biased(asked, queryBias === undefined ? positionBias : combined(1, positionBias, -1, queryBias));
    }
    // In row n, source m stands at offset n - m: from the last row of the table on, backwards.
    const turned = reversed(met(asked, tableOf(keyTable)));
    parts.push(viewAs(skewed(turned, source), [batch, heads, target, source]));
  }
  if (queryTable !== undefined) {
    const rows = skewed(met(key, tableOf(queryTable)), target);
    parts.push(viewAs(permuted(rows, [0, 2, 1]), [batch, heads, target, source]));
  }
  if (keyTable !== undefined && queryTable !== undefined) {
    const own = rowProducts(tableOf(keyTable), tableOf(queryTable));
    const turned = reversed(spreadAlong<Tensor3D>(own, 1, target));
    parts.push(spreadAlong(skewed(turned, source), 0, batch));
  }
  return parts;
}

/** The inner products of equal rows of two stacks of matrices, `[heads, offsets]`. */
function rowProducts(a: Tensor3D, b: Tensor3D): Tensor2D {
  const [heads, offsets, size] = a.shape;
  const [rows, columns] = [viewAs(a, [heads * offsets, 1, size]), viewAs(b, [heads * offsets, 1, size])];
  return viewAs(matMul(rows, columns, { transposeB: true }), [heads, offsets]);
}

function reversed(x: Tensor3D): Tensor3D {
  return linearMap(
    [x],
    ([given]) => reverse(given!, 2),
    (dResult) => [reverse(dResult, 2)],
  );
}

/** `y[i, j] = x[i, j - i + rows - 1]`: every row moved one place further than the one before, by one view of padded memory. */
function skewed(x: Tensor3D, columns: number): Tensor3D {
  const [stack, rows, width] = x.shape;
  const size = rows * width;
  return linearMap(
    [x],
    ([given]) => {
      const flat = reshape(
        pad(given!, [
          [0, 0],
          [0, 0],
          [0, 1],
        ]),
        [stack, size + rows],
      );
      return slice(reshape(slice(flat, [0, rows - 1], [stack, size]), [stack, rows, width]), [0, 0, 0], [stack, rows, columns]);
    },
    (dResult) => {
      const flat = reshape(
        pad(dResult, [
          [0, 0],
          [0, 0],
          [0, width - columns],
        ]),
        [stack, size],
      );
      const whole = reshape(
        pad(flat, [
          [0, 0],
          [rows - 1, 1],
        ]),
        [stack, rows, width + 1],
      );
      return [slice(whole, [0, 0, 0], [stack, rows, width])];
    },
  );
}
