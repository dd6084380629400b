import { bindShapes, checkTensor, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';

/**
 * A family of weighted graphs from `inputSize` to `outputSize` nodes, as linear operators that need not exist as matrices. `A_k[m, n]` is the weight
 * of the edge from input node m to output node n in graph k: **the input comes first**, so a convolution applies the transpose,
 * `y = sum_k A_k^T x Theta_k`.
 *
 * The functions are differentiable, in their argument and in whatever the basis was made of. Their results are new tensors, which the caller disposes.
 */
export interface ConvolutionBasis {
  /** Graphs, K. */
  readonly terms: number;
  /** Input nodes, M. */
  readonly inputSize: number;
  /** Output nodes, N. */
  readonly outputSize: number;
  /** Edges of all graphs, of one sample: multiply-adds of an application per channel. K M N if they are dense. */
  readonly edges: number;
  /** How many samples the basis is made for, if each has graphs of its own, as in attention; null if all share them. */
  readonly samples: number | null;
  /** `x [batch, M, P]` to `[batch, N, K, P]`: `A_k^T x` for every term. */
  apply(x: Tensor3D): Tensor4D;
  /** The adjoint of `apply`: `h [batch, N, K, P]` to `[batch, M, P]`, the sum of `A_k h_k`. */
  applyAdjoint(h: Tensor4D): Tensor3D;
  /** `h [batch, M, K, Q]` to `[batch, N, Q]`, the sum of `A_k^T h_k`: what is left of a convolution when the parameter came first. */
  applySum(h: Tensor4D): Tensor3D;
  /** `h [batch, M, K, D]` to `[batch, N, K, D]`: `A_k^T h_k`, each term on channels of its own, as heads of attention are. */
  applyEach(h: Tensor4D): Tensor4D;
  /** The basis of the transposes `A_k^T`, from outputs to inputs. It shares what this one holds. */
  transposed(): ConvolutionBasis;
  /** The graphs as matrices, `[K, M, N]`, or `[samples, K, M, N]` where each sample has its own. */
  toDense(): Tensor;
  /** Frees what the basis has made and keeps; not what it was made of. */
  dispose(): void;
}

/** What a basis is defined by; what follows from it is added by `defineBasis`. */
export interface BasisSpec {
  /** The function that made it, which errors begin with. */
  readonly name: string;
  readonly terms: number;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly edges: number;
  readonly samples?: number | null;
  apply(x: Tensor3D): Tensor4D;
  applySum(h: Tensor4D): Tensor3D;
  applyEach(h: Tensor4D): Tensor4D;
  /** The same for the transposes; made when first asked for. */
  transposed(): BasisSpec;
  toDense(): Tensor;
  dispose?(): void;
}

/**
 * A convolution basis from its three maps and those of its transpose. Shapes are checked before a map is called.
 *
 * @param spec - `apply`, `applySum` and `applyEach` as in `ConvolutionBasis`, and a spec of the transposes.
 * @returns The basis.
 * @example
 * const own = defineBasis({ name: 'averageBasis', terms: 1, inputSize, outputSize: 1, edges: inputSize, apply, applySum, applyEach, transposed, toDense });
 */
export function defineBasis(spec: BasisSpec): ConvolutionBasis {
  return basisOf(spec, undefined);
}

function basisOf(spec: BasisSpec, twin: ConvolutionBasis | undefined): ConvolutionBasis {
  const { name, terms, inputSize, outputSize, edges, samples = null } = spec;
  let turned = twin;
  const check = (h: Tensor, method: string, nodes: number, axes: 3 | 4) => checkNodes(spec, `${name}.${method}`, h, nodes, axes);
  const basis: ConvolutionBasis = {
    terms,
    inputSize,
    outputSize,
    edges,
    samples,
    apply(x) {
      check(x, 'apply', inputSize, 3);
      return spec.apply(x);
    },
    applyAdjoint(h) {
      check(h, 'applyAdjoint', outputSize, 4);
      return basis.transposed().applySum(h);
    },
    applySum(h) {
      check(h, 'applySum', inputSize, 4);
      return spec.applySum(h);
    },
    applyEach(h) {
      check(h, 'applyEach', inputSize, 4);
      return spec.applyEach(h);
    },
    transposed() {
      turned ??= basisOf(spec.transposed(), basis);
      return turned;
    },
    toDense: () => spec.toDense(),
    dispose: () => spec.dispose?.(),
  };
  return basis;
}

/** @throws ShapeError unless `h` lies on the nodes of the basis. */
function checkNodes({ terms, samples }: BasisSpec, functionName: string, h: Tensor, nodes: number, axes: 3 | 4): void {
  checkTensor(functionName, axes === 3 ? 'x' : 'h', h, ['float32']);
  const words = axes === 3 ? 'batch nodes channels' : 'batch nodes terms channels';
  const found = bindShapes(functionName, { [axes === 3 ? 'x' : 'h']: [h, words] } as Record<string, readonly [Tensor, string]>);
  const sizes = found as unknown as Record<string, number>;
  const expected: Record<string, number | null> = { nodes, batch: samples ?? null, ...(axes === 4 ? { terms } : {}) };
  for (const [axis, size] of Object.entries(expected)) {
    if (size === null || sizes[axis] === size) continue;
    throw new ShapeError(`${functionName}: axis '${axis}' is ${sizes[axis]} in [${h.shape.join(', ')}] but ${size} in the basis`);
  }
}
