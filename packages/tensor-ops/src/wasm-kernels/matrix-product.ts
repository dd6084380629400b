import { broadcast_util, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { DTypeError, ShapeError } from '../errors';
import { gemmBinaries } from '../generated/gemm';
import { registry } from '../operator/registry';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { multiplyParts, type ProductStack, wholeProducts } from '../wasm-threads/product-stack';

/** The numbers that `assembly/gemm-epilogue.ts` gives the activations. */
export const activationCodes = { linear: 0, relu: 1, relu6: 2, prelu: 3, leakyrelu: 4, sigmoid: 5, elu: 6 } as const;

export type FusableActivation = keyof typeof activationCodes;

/** What is done to each element of the product while its block is still in the cache. */
export interface Epilogue {
  /** One float per column of the product. */
  readonly bias?: TensorInfo | undefined;
  readonly activation?: FusableActivation | undefined;
  /** Of `leakyrelu`. */
  readonly slope?: number | undefined;
  /** One float per column, of `prelu`. */
  readonly slopes?: TensorInfo | undefined;
}

const module = /* @__PURE__ */ defineWasmModule<'gemm' | 'gemmScratchBytes'>(gemmBinaries);

/** Bytes of working memory that a product needs. */
export const gemmScratchBytes = (backend: WasmBackend, rows: number, columns: number, depth: number): number =>
  module.exports(backend).gemmScratchBytes(rows, columns, depth);

/** Runs products of matrices by address, divided among threads where that pays. */
export function multiplyStack(backend: WasmBackend, stack: ProductStack, scratch: number): void {
  const { gemm } = module.exports(backend);
  if (registry().wasmThreads?.multiply(backend, gemm, stack, scratch)) return;
  multiplyParts(gemm, stack, wholeProducts(stack, 0, stack.products), scratch);
}

/**
 * The product of two stacks of matrices on tfjs's heap, without a copy of either.
 *
 * @param a - `[..., rows, depth]`, or `[..., depth, rows]` if `transposeA`; float32.
 * @param b - `[..., depth, columns]`, or `[..., columns, depth]` if `transposeB`; float32. The leading axes broadcast as NumPy's do.
 * @returns `[..., rows, columns]`; zeros (before the epilogue) where `depth` is 0.
 * @throws ShapeError if a rank is below 2, the inner axes differ or the leading ones do not broadcast; DTypeError if not float32.
 */
export function matrixProduct(
  backend: WasmBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  { bias, activation = 'linear', slope = 0, slopes }: Epilogue = {},
): TensorInfo {
  const left = matrices('a', a, transposeA);
  const right = matrices('b', b, transposeB);
  if (left.columns !== right.rows) {
    throw new ShapeError(
      `matMul: the inner axes differ, ${left.columns} in a and ${right.rows} in b\n` +
        `  a [${a.shape.join(', ')}]${transposeA ? ', transposed' : ''}\n  b [${b.shape.join(', ')}]${transposeB ? ', transposed' : ''}`,
    );
  }
  const batch = broadcastBatch(a, b, left.batch, right.batch);
  const columns = right.columns;
  const depth = left.columns;
  let rows = left.rows;
  let products = util.sizeFromShape(batch);
  if (!transposeA && right.count === 1 && left.count === products) {
    // One right matrix for a whole stack: the stack is one tall matrix.
    rows *= products;
    products = 1;
  }
  const aPlace = places(batch, products, left);
  const bPlace = places(batch, products, right);
  const outShape = [...batch, left.rows, right.columns];
  if (util.sizeFromShape(outShape) === 0) return backend.makeOutput(outShape, 'float32');
  const scratchBytes = gemmScratchBytes(backend, rows, columns, depth);
  return withScratch(backend, scratchBytes, (scratch) => {
    const out = backend.makeOutput(outShape, 'float32');
    const [aStart, bStart, target] = [a, b, out].map((info) => tensorPointer(backend, info)) as [number, number, number];
    const stack: ProductStack = {
      products,
      rows,
      columns,
      depth,
      transposeA,
      transposeB,
      a: (i) => aStart + aPlace(i),
      b: (i) => bStart + bPlace(i),
      out: (i) => target + 4 * i * rows * columns,
      bias: bias ? tensorPointer(backend, bias) : 0,
      activation: activationCodes[activation],
      slope,
      slopes: slopes ? tensorPointer(backend, slopes) : 0,
      scratchBytes,
    };
    multiplyStack(backend, stack, scratch);
    return out;
  });
}

interface Matrices {
  readonly batch: number[];
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

function matrices(name: string, { shape, dtype }: TensorInfo, transposed: boolean): Matrices {
  if (dtype !== 'float32')
    throw new DTypeError(`matMul: ${name} must be float32 on the wasm backend, is ${dtype}; cast it first`);
  if (shape.length < 2) throw new ShapeError(`matMul: ${name} must have 2 axes or more, has shape [${shape.join(', ')}]`);
  const batch = shape.slice(0, -2);
  const [rows, columns] = transposed ? [shape.at(-1)!, shape.at(-2)!] : [shape.at(-2)!, shape.at(-1)!];
  return { batch, count: util.sizeFromShape(batch), rows, columns };
}

function broadcastBatch(a: TensorInfo, b: TensorInfo, left: number[], right: number[]): number[] {
  if (right.length === 0) return left;
  try {
    return broadcast_util.assertAndGetBroadcastShape(left, right);
  } catch {
    throw new ShapeError(
      `matMul: the leading axes [${left.join(', ')}] of a and [${right.join(', ')}] of b do not broadcast\n` +
        `  a [${a.shape.join(', ')}]\n  b [${b.shape.join(', ')}]`,
    );
  }
}

/** Where the factor of product i begins, in bytes from that of product 0. */
function places(batch: number[], products: number, own: Matrices): (i: number) => number {
  const size = 4 * own.rows * own.columns;
  if (products === 1 || own.count === 1) return () => 0;
  if (own.count === products) return (i) => i * size;
  const indices = matrixIndices(batch, own.batch);
  return (i) => indices[i]! * size;
}

/** Which matrix of a stack of shape `own` stands at each place of the broadcast stack `batch`, in row-major order. */
function matrixIndices(batch: number[], own: number[]): number[] {
  let indices = [0];
  let stride = 1;
  // From the last axis to the first: every place so far, repeated for each coordinate of the axis before.
  for (let axis = 1; axis <= batch.length; axis++) {
    const size = own[own.length - axis] ?? 1;
    const step = size === 1 ? 0 : stride;
    const inner = indices;
    indices = Array.from({ length: batch.at(-axis)! }, (_, i) => inner.map((index) => index + i * step)).flat();
    stride *= size;
  }
  return indices;
}
