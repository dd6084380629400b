import { orthonormalityPenalty, orthonormalityPenaltyOperator } from '@mixfold/subspace-attention';
import { penaltyGradientReference, penaltyReference } from '../../../../packages/subspace-attention/src/subspaces/reference';
import { operatorCase } from '../operator-case';

export const orthonormalityPenaltyCase = operatorCase({
  name: 'orthonormality-penalty',
  about: 'How far subspaces are from orthonormal, for a loss',
  operators: [orthonormalityPenaltyOperator],
  sizes: {
    check: { heads: 3, dim: 13, headDim: 5 },
    cpu: { heads: 8, dim: 256, headDim: 32 },
    gpu: { heads: 16, dim: 1024, headDim: 64 },
  },
  repeats: 'heads',
  onlyFull: true,
  inputs: ({ heads, dim, headDim }, draw) => ({
    subspaces: draw.normals([heads, dim, headDim], { deviation: dim ** -0.5 }),
  }),
  ours: ({ subspaces }) => orthonormalityPenalty(subspaces),
  reference: ({ subspaces }, { heads, dim, headDim }) => penaltyReference(subspaces.data, [heads, dim, headDim]),
  gradients: ({ subspaces }, dOutput, { heads, dim, headDim }) => ({
    subspaces: penaltyGradientReference(subspaces.data, [heads, dim, headDim], dOutput[0]!),
  }),
});
