import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { GemmOperand } from './gemm-code';
import { runGemm } from './run-gemm';
import type { WebGpuBackend } from './web-gpu-backend';

/** One operand of a product of matrices in memory: `[..., rows, columns]`, or the other way round if `transposed`. */
export interface MatrixOperand {
  readonly info: TensorInfo;
  readonly transposed: boolean;
  /**
   * How the matrices of a stack are taken: each for a product of its own, or `along` their last axis in memory, side by side as one wide matrix.
   * One matrix goes with any stack.
   */
  readonly stack?: 'each' | 'along';
}

/** The product of matrices or of stacks of them, in one program, or two where the depth is split; nothing is transposed in memory. */
export function webGpuMatrixProduct(
  backend: WebGpuBackend,
  left: MatrixOperand,
  right: MatrixOperand,
  outputShape: number[],
): TensorInfo {
  const [a, b] = [layoutOf(left), layoutOf(right)];
  const [rows, depth] = left.transposed ? [a.inner, a.outer] : [a.outer, a.inner];
  const columns = right.transposed ? b.outer : b.inner;
  const code = { left: operandCode('a', left, 'row', 'k', rows), right: operandCode('b', right, 'column', 'k', columns) };
  const isFour = (operand: GemmOperand) => operand.quad !== undefined;
  const vectors = [...(isFour(code.left) ? ['a'] : []), ...(isFour(code.right) ? ['b'] : [])];
  const matrix = left.stack === 'along' ? a.matrix : right.stack === 'along' ? b.matrix : undefined;
  return runGemm(backend, {
    name: 'MatrixProduct',
    size: { batches: Math.max(a.count, b.count), rows, columns, depth },
    inputs: { a: left.info, b: right.info },
    outputs: { output: { shape: outputShape } },
    uniforms: matrix === undefined ? {} : { matrix: { type: 'u32', value: matrix } },
    vectors,
    left: code.left,
    rights: [code.right],
    store: 'output[(batch * uniforms.rows + row) * uniforms.columns + column] = value0;',
  }).output;
}

/** An operand as `count` matrices of `outer` rows of `inner` elements; `matrix` of them belong to one matrix of a stack laid side by side. */
function layoutOf({ info: { shape }, stack }: MatrixOperand) {
  const [outer, matrix] = shape.slice(-2) as [number, number];
  const stacked = util.sizeFromShape(shape.slice(0, -2));
  return stack === 'along'
    ? { count: 1, outer, inner: matrix * stacked, matrix }
    : { count: stacked, outer, inner: matrix, matrix };
}

/** WGSL of the element at two indices, of which `width` counts rows of the left or columns of the right operand. */
function operandCode(name: string, operand: MatrixOperand, width: 'row' | 'column', depth: string, size: number): GemmOperand {
  const isLeft = width === 'row';
  // Which index runs through an inner line of memory.
  const isWide = operand.transposed === isLeft;
  const [outer, inner] = isWide ? [depth, width] : [width, depth];
  const sizes = { row: 'uniforms.rows', column: 'uniforms.columns', k: 'uniforms.depth' } as Record<string, string>;
  const layout = layoutOf(operand);
  let index = `${outer} * ${sizes[inner]} + ${inner}`;
  if (operand.stack === 'along') {
    index = `(${inner} / uniforms.matrix * ${sizes[outer]} + ${outer}) * uniforms.matrix + ${inner} % uniforms.matrix`;
  } else if (layout.count > 1) index = `(batch * ${sizes[outer]} + ${outer}) * ${sizes[inner]} + ${inner}`;
  const neighbours = isWide ? 'width' : 'depth';
  const canBeFour = isWide && size % 4 === 0 && layout.matrix % 4 === 0;
  return {
    neighbours,
    element: `return ${name}[${index}];`,
    ...(canBeFour ? { quad: `return ${name}[(${index}) / 4u];` } : {}),
  };
}

/** The product of two stacks, of which one may be a single matrix: `[..., rows, columns]`. */
export function webGpuStackProduct(
  backend: WebGpuBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): TensorInfo {
  const [aStack, bStack] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const stack = util.sizeFromShape(aStack) === 1 && bStack.length >= aStack.length ? bStack : aStack;
  const shape = [...stack, a.shape.at(transposeA ? -1 : -2)!, b.shape.at(transposeB ? -2 : -1)!];
  const isTall = !transposeA && util.sizeFromShape(bStack) === 1;
  return webGpuMatrixProduct(
    backend,
    { info: isTall ? tallMatrix(a) : a, transposed: transposeA },
    { info: b, transposed: transposeB },
    shape,
  );
}

/** A stack as one tall matrix: the same memory under another shape. */
export const tallMatrix = (x: TensorInfo): TensorInfo => ({
  ...x,
  shape: [util.sizeFromShape(x.shape.slice(0, -1)), x.shape.at(-1)!],
});
