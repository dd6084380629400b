import { matMul } from '@mixfold/tensor-ops';
import { expandDims, eye, mul, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';

/** `U^T U - I`, head by head. */
function excess(subspaces: Tensor): Tensor {
  const gram = matMul(subspaces, subspaces, { transposeA: true });
  return sub(gram, expandDims(eye(subspaces.shape[2]!), 0));
}

export function composedPenalty({ subspaces }: { subspaces: Tensor }): Record<string, Tensor> {
  return { penalty: mul(sum(square(excess(subspaces))), 1 / subspaces.shape[0]!) };
}

/** dU = 4 g / heads U (U^T U - I). */
export function composedPenaltyBackward({
  subspaces,
  dPenalty,
}: {
  subspaces: Tensor;
  dPenalty: Tensor;
}): Record<string, Tensor> {
  const scaled = mul(excess(subspaces), mul(dPenalty, 4 / subspaces.shape[0]!));
  return { dSubspaces: matMul(subspaces, scaled) };
}
