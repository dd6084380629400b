import { dropout, dropoutOperator } from '@mixfold/tensor-ops';
import { dropoutReference } from '../../../../packages/tensor-ops/src/dropout/reference';
import { operatorCase } from '../operator-case';

/** No PyTorch beside it: a random mask of its own could not be checked against ours. */
export const dropoutCase = operatorCase({
  name: 'dropout',
  about: 'dropout at rate 0.1',
  operators: [dropoutOperator],
  sizes: { check: { size: 1031 }, cpu: { size: 262_144 }, gpu: { size: 1_048_576 } },
  repeats: 'size',
  inputs: ({ size }, draw) => ({ x: draw.normals([size]) }),
  ours: ({ x }) => dropout(x, { rate: 0.1, seed: 7 }),
  reference: ({ x }) => dropoutReference(x.data, 0.1, 7),
  gradients: (_, dOutput) => ({ x: dropoutReference(dOutput, 0.1, 7) }),
});
