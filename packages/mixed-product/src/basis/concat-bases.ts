import { OptionError, ShapeError } from '@mixfold/tensor-ops';
import { addN, clone, type Tensor, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { linearMap } from '../tape/linear-map';
import { concatenated, sliced, spreadAlong } from '../tape/views';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from './convolution-basis';

/**
 * The terms of several bases, one behind the other: separate heads, such as content beside position.
 *
 * @param bases - At least one; all from and to the same numbers of nodes.
 * @returns The basis, with the terms of all of them. It has the samples of those that have some.
 * @throws OptionError for no bases; ShapeError if nodes or samples differ.
 * @remarks Costs what its parts cost.
 * @example
 * const both = concatBases(attentionBasis({ keyInput, queryInput, scores }), gridBasis1d({ length, window: 3 }));
 */
export function concatBases(...bases: readonly ConvolutionBasis[]): ConvolutionBasis {
  if (bases.length === 0) throw new OptionError('concatBases: there must be at least one basis');
  const [first] = bases as readonly [ConvolutionBasis, ...ConvolutionBasis[]];
  for (const [i, { inputSize, outputSize }] of bases.entries()) {
    if (inputSize !== first.inputSize || outputSize !== first.outputSize) {
      throw new ShapeError(
        `concatBases: bases must have the same nodes, basis 0 has ${first.inputSize} to ${first.outputSize} and basis ${i} ${inputSize} to ${outputSize}`,
      );
    }
  }
  return defineBasis(concatSpec(bases, commonSamples('concatBases', bases)));
}

/** The samples of the bases that have some. */
export function commonSamples(functionName: string, bases: readonly ConvolutionBasis[]): number | null {
  const own = bases.flatMap(({ samples }) => (samples === null ? [] : [samples]));
  if (own.some((samples) => samples !== own[0])) {
    throw new ShapeError(`${functionName}: bases of their own per sample must have as many samples, got ${own.join(' and ')}`);
  }
  return own[0] ?? null;
}

function concatSpec(bases: readonly ConvolutionBasis[], samples: number | null): BasisSpec {
  const { inputSize, outputSize } = bases[0]!;
  const sizes = bases.map(({ terms }) => terms);
  const terms = sizes.reduce((sum, size) => sum + size, 0);
  /** The terms of h that belong to each basis. */
  const parts = (h: Tensor4D): Tensor4D[] => {
    let begin = 0;
    return sizes.map((size) => {
      const part = sliced<Tensor4D>(h, 2, begin, size);
      begin += size;
      return part;
    });
  };
  return {
    name: 'concatBases',
    terms,
    inputSize,
    outputSize,
    edges: bases.reduce((sum, { edges }) => sum + edges, 0),
    samples,
    apply: (x) =>
      tidy(() =>
        concatenated<Tensor4D>(
          bases.map((basis) => basis.apply(x)),
          2,
        ),
      ),
    applySum: (h) => tidy(() => total(parts(h).map((part, i) => bases[i]!.applySum(part)))),
    applyEach: (h) =>
      tidy(() =>
        concatenated<Tensor4D>(
          parts(h).map((part, i) => bases[i]!.applyEach(part)),
          2,
        ),
      ),
    transposed: () =>
      concatSpec(
        bases.map((basis) => basis.transposed()),
        samples,
      ),
    toDense: () =>
      tidy(() =>
        concatenated(
          bases.map((basis) => denseFor(basis, samples)),
          samples === null ? 0 : 1,
        ),
      ),
    dispose: () => {
      for (const basis of bases) basis.dispose();
    },
  };
}

/** The matrices of a basis, repeated for every sample if others have their own. */
export function denseFor(basis: ConvolutionBasis, samples: number | null): Tensor {
  const dense = basis.toDense();
  return samples === null || basis.samples !== null ? dense : spreadAlong(dense, 0, samples);
}

function total(parts: Tensor3D[]): Tensor3D {
  if (parts.length === 1) return parts[0]!;
  return linearMap(
    parts,
    (given) => addN([...given]),
    (dResult) => parts.map(() => clone(dResult)),
  );
}
