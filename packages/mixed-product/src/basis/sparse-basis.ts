import { checkOptions, checkTensor, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { eye, Tensor, type Tensor1D, type Tensor2D, type Tensor3D, type Tensor4D, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { type EdgeLists, edgeLists } from '../sparse-product/edge-lists';
import { sparseProduct } from '../sparse-product/edge-maps';
import { permuted, spreadAlong, viewAs } from '../tape/views';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from './convolution-basis';
import { checkSameLength, type Indices, readIndices } from './edge-indices';

/** Graphs as lists of edges. */
export interface SparseEdges {
  /** Per edge the input node it starts from. */
  readonly source: Indices;
  /** Per edge the output node it ends in. */
  readonly target: Indices;
  /** Per edge the graph it belongs to. Default: all to one. */
  readonly term?: Indices | undefined;
  /** Per edge its weight, `[edges]`; or `[samples, edges]`, for each sample its own. A tensor is differentiated. Default: 1. */
  readonly weight?: Tensor1D | Tensor2D | ArrayLike<number> | undefined;
  readonly inputSize: number;
  readonly outputSize: number;
  /** Graphs. Default: one more than the largest `term`. */
  readonly terms?: number | undefined;
}

const rules = {
  source: 'unchecked',
  target: 'unchecked',
  term: 'unchecked',
  weight: 'unchecked',
  inputSize: 'nonNegativeInteger',
  outputSize: 'nonNegativeInteger',
  terms: 'positiveInteger',
} as const;

/**
 * A basis given by the edges of its graphs, which need no order. Edges that stand twice count twice: their weights add.
 *
 * @param edges - `source`, `target`, `term` as arrays of integers (an edge goes from input node `source[e]` to output node `target[e]`, as PyG and DGL
 *   have it); `weight`; `inputSize`, `outputSize`.
 * @returns The basis; differentiable in `weight` if that is a tensor, which it neither copies nor disposes.
 * @throws OptionError for a node or term out of range, or an unknown option; ShapeError for lists of unequal length; DTypeError.
 * @remarks The edges are sorted once, O(edges). A map costs O(edges channels), its gradients the same; nothing of the size of a matrix is made.
 * @example
 * const basis = sparseBasis({ source: [0, 1], target: [1, 0], weight: tf.tensor1d([0.5, 2]), inputSize: 2, outputSize: 2 });
 */
export function sparseBasis(edges: SparseEdges): ConvolutionBasis {
  checkOptions('sparseBasis', edges, rules);
  const { inputSize, outputSize, terms: givenTerms } = edges;
  if (inputSize === undefined || outputSize === undefined)
    throw new OptionError('sparseBasis: inputSize and outputSize are needed');
  const source = readIndices('sparseBasis', 'source', edges.source, inputSize, 'inputSize');
  const target = readIndices('sparseBasis', 'target', edges.target, outputSize, 'outputSize');
  const most = givenTerms ?? 2 ** 31;
  const term = edges.term === undefined ? undefined : readIndices('sparseBasis', 'term', edges.term, most, 'terms');
  checkSameLength('sparseBasis', { source, target, ...(term ? { term } : {}) });
  const terms = givenTerms ?? (term === undefined ? 1 : term.reduce((largest, k) => Math.max(largest, k), 0) + 1);
  const weight = readWeight('sparseBasis', edges.weight, source.length);
  return basisOfEdges('sparseBasis', { source, target, term, inputSize, outputSize, terms }, weight);
}

/** Weights as `[samples, edges]`, and whether they are the basis's own. */
export interface EdgeWeights {
  readonly tensor: () => Tensor2D;
  readonly samples: number | null;
  dispose(): void;
}

/** The weights that a user gave. */
export function readWeight(functionName: string, given: SparseEdges['weight'], edges: number): EdgeWeights {
  if (given instanceof Tensor || (given !== undefined && 'dataId' in given)) {
    const tensor = given as Tensor1D | Tensor2D;
    checkTensor(functionName, 'weight', tensor, ['float32']);
    if ((tensor.rank !== 1 && tensor.rank !== 2) || tensor.shape.at(-1) !== edges) {
      throw new ShapeError(
        `${functionName}: weight must be [edges] or [samples, edges] for ${edges} edges, got [${tensor.shape.join(', ')}]`,
      );
    }
    return weightsOf(tensor);
  }
  const values = given === undefined ? new Float32Array(edges).fill(1) : Float32Array.from(given);
  checkSameLength(functionName, { source: { length: edges }, weight: values });
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new OptionError(`${functionName}: weight[${bad}] is ${values[bad]}, but must be a finite number`);
  let made = tensor1d(values);
  return {
    tensor() {
      if (made.isDisposed) made = tensor1d(values);
      return viewAs(made, [1, edges]);
    },
    samples: null,
    dispose: () => made.dispose(),
  };
}

/** Weights that are a tensor: of somebody else's, or the basis's own. */
export function weightsOf(tensor: Tensor1D | Tensor2D, isOwn = false): EdgeWeights {
  const isShared = tensor.rank === 1;
  return {
    tensor: () => (isShared ? viewAs(tensor, [1, tensor.shape[0]]) : (tensor as Tensor2D)),
    samples: isShared ? null : tensor.shape[0],
    dispose() {
      if (isOwn) tensor.dispose();
    },
  };
}

/** Checked edges. */
export interface CheckedEdges {
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly term?: Int32Array | undefined;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly terms: number;
}

/** A basis of edges that have been checked; weights that are made along the edges get them listed, each term on nodes of its own. */
export function basisOfEdges(
  name: string,
  edges: CheckedEdges,
  given: EdgeWeights | ((each: EdgeLists) => EdgeWeights),
): ConvolutionBasis {
  const { source, target, term, inputSize, outputSize, terms } = edges;
  const byTerm = (node: Int32Array) => (term === undefined ? node : node.map((at, e) => at * terms + term[e]!));
  const sides = { row: target, column: source, rows: outputSize, columns: inputSize };
  const sum = edgeLists({ ...sides, column: byTerm(source), columns: inputSize * terms });
  const isOne = terms === 1;
  const apply = isOne ? sum : edgeLists({ ...sides, row: byTerm(target), rows: outputSize * terms });
  const each = isOne
    ? sum
    : edgeLists({ row: byTerm(target), column: byTerm(source), rows: outputSize * terms, columns: inputSize * terms });
  const weight = typeof given === 'function' ? given(each) : given;
  const dispose = () => {
    for (const lists of [sum, apply, each]) lists.dispose();
    weight.dispose();
  };
  return defineBasis({ ...sparseSpec(name, { apply, sum, each }, terms, weight, source.length), dispose });
}

/** Every edge once per term, those of an edge side by side: for weights `[edges, terms]`. */
export function edgesForTerms(
  source: Int32Array,
  target: Int32Array,
  terms: number,
): Record<'source' | 'target' | 'term', Int32Array> {
  const repeated = (of: (e: number, k: number) => number) =>
    Int32Array.from({ length: source.length * terms }, (_, i) => of(Math.floor(i / terms), i % terms));
  return { source: repeated((e) => source[e]!), target: repeated((e) => target[e]!), term: repeated((_, k) => k) };
}

interface MapLists {
  readonly apply: EdgeLists;
  readonly sum: EdgeLists;
  readonly each: EdgeLists;
}

function sparseSpec(name: string, lists: MapLists, terms: number, weight: EdgeWeights, edges: number): BasisSpec {
  const { apply, sum, each } = lists;
  const [inputSize, outputSize] = [apply.columns, sum.rows];
  const flat = (h: Tensor4D) => viewAs<Tensor3D>(h, [h.shape[0], h.shape[1] * h.shape[2], h.shape[3]]);
  const spec: BasisSpec = {
    name,
    terms,
    inputSize,
    outputSize,
    edges,
    samples: weight.samples,
    apply: (x) =>
      tidy(() => viewAs<Tensor4D>(sparseProduct(x, weight.tensor(), apply), [x.shape[0], outputSize, terms, x.shape[2]])),
    applySum: (h) => tidy(() => sparseProduct(flat(h), weight.tensor(), sum)),
    applyEach: (h) =>
      tidy(() => viewAs<Tensor4D>(sparseProduct(flat(h), weight.tensor(), each), [h.shape[0], outputSize, terms, h.shape[3]])),
    transposed: () =>
      sparseSpec(name, { apply: sum.transposed(), sum: apply.transposed(), each: each.transposed() }, terms, weight, edges),
    toDense: () => denseOf(spec),
  };
  return spec;
}

/** The matrices of a basis, from what it makes of unit vectors. */
export function denseOf(spec: Pick<BasisSpec, 'inputSize' | 'samples' | 'apply'>): Tensor {
  return tidy(() => {
    const samples = spec.samples ?? null;
    const units = viewAs<Tensor3D>(eye(spec.inputSize), [1, spec.inputSize, spec.inputSize]);
    if (samples === null) {
      const made = spec.apply(units);
      return viewAs(permuted(made, [0, 2, 3, 1]), [made.shape[2], made.shape[3], made.shape[1]]);
    }
    const each = spreadAlong<Tensor3D>(viewAs(units, units.shape.slice(1)), 0, samples);
    return permuted(spec.apply(each), [0, 2, 3, 1]);
  });
}
