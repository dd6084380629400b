import { einsum, einsumPairOperator, matMul, matMulOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { operatorCase } from '../operator-case';

export const matMulCase = operatorCase({
  name: 'mat-mul',
  about: 'a stack of rows by one weight',
  operators: [matMulOperator],
  sizes: {
    check: { rows: 37, depth: 67, columns: 29 },
    cpu: { rows: 512, depth: 512, columns: 512 },
    gpu: { rows: 1024, depth: 1024, columns: 1024 },
  },
  repeats: 'rows',
  onlyFull: 'both',
  threads: true,
  inputs: ({ rows, depth, columns }, draw) => ({ a: draw.normals([rows, depth]), b: draw.normals([depth, columns]) }),
  ours: ({ a, b }) => matMul(a, b),
  reference: ({ a, b }, { rows, depth, columns }) => multiply(a.data, b.data, [rows, depth, columns]),
  gradients({ a, b }, dOutput, { rows, depth, columns }) {
    return {
      a: multiply(dOutput, transpose(b.data, depth, columns), [rows, columns, depth]),
      b: multiply(transpose(a.data, rows, depth), dOutput, [depth, rows, columns]),
    };
  },
  flops({ rows, depth, columns }) {
    const forward = 2 * rows * depth * columns;
    return { forward, both: 3 * forward };
  },
  peers: {
    tfjs: ({ a, b }) => tf.matMul(a, b),
    torch: 'return a @ b',
    onnx: () => ({ nodes: [['MatMul', ['a', 'b'], ['output']]] }),
    jax: ({ numpy: np }, { a, b }) => np.matmul(a, b),
  },
});

export const einsumCase = operatorCase({
  ...matMulCase,
  name: 'einsum-product',
  onlyFull: true,
  about: "einsum 'ij,jk->ik'",
  operators: [einsumPairOperator],
  threads: false,
  ours: ({ a, b }) => einsum('ij,jk->ik', a!, b!),
});

/** Float64 product of row-major matrices `[m, k]` and `[k, n]`. */
function multiply(a: ArrayLike<number>, b: ArrayLike<number>, [m, k, n]: [number, number, number]): Float64Array {
  const product = new Float64Array(m * n);
  const right = Float64Array.from(b);
  for (let i = 0; i < m; i++) {
    const row = product.subarray(i * n, (i + 1) * n);
    for (let p = 0; p < k; p++) {
      const left = a[i * k + p]!;
      for (let j = 0, at = p * n; j < n; j++, at++) row[j]! += left * right[at]!;
    }
  }
  return product;
}

function transpose(data: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}
