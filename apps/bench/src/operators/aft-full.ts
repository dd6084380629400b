import { aftFull, aftFullFactoredOperator, aftFullOperator } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import type { Draw } from '../draw';
import { operatorCase } from '../operator-case';
import { aftFullReference } from './aft-full-reference';
import { gradientsOfFactors, productOfFactors } from './factors';
import { stockAftByProducts } from './stock-aft-products';

const sizes = {
  check: { batch: 2, time: 67, dim: 33, rank: 5 },
  cpu: { batch: 1, time: 1024, dim: 256, rank: 64 },
  gpu: { batch: 8, time: 1024, dim: 256, rank: 64 },
};
type Sizes = (typeof sizes)['check'];

/** Two products of `[time, time]` by `[time, 2 dim]` forward, twice as many backward; those of the factors beside them. */
const flops = ({ batch, time, dim }: Sizes, rank: number) => {
  const forward = 4 * time * time * (batch * dim) + 2 * time * time * rank;
  return { forward, both: 3 * forward };
};

const mixed = ({ batch, time, dim }: Sizes, draw: Draw) => {
  const shape = [batch, time, dim];
  return { query: draw.normals(shape), key: draw.normals(shape), value: draw.normals(shape) };
};

export const aftFullCase = operatorCase({
  name: 'aft-full',
  about: 'AFT-full, dense bias',
  operators: [aftFullOperator],
  sizes,
  repeats: 'batch',
  onlyFull: true,
  inputs: (at, draw) => ({ ...mixed(at, draw), positionBias: draw.normals([at.time, at.time]) }),
  ours: ({ query, key, value, positionBias }) => aftFull(query, key, value, positionBias),
  reference: ({ query, key, value, positionBias }, at) =>
    aftFullReference(at, [query.data, key.data, value.data, positionBias.data, query.data])[0]!,
  gradients({ query, key, value, positionBias }, dOutput, at) {
    const made = aftFullReference(at, [query.data, key.data, value.data, positionBias.data, dOutput]);
    return { query: made[1]!, key: made[2]!, value: made[3]!, positionBias: made[4]! };
  },
  flops: (at) => flops(at, 0),
  peers: {
    tfjs: ({ query, key, value, positionBias }) => stockAftByProducts(query, key, value, positionBias),
    torch: `
pairs = torch.exp(positionBias - positionBias.amax(1, keepdim=True))
weight = torch.exp(key - key.amax(1, keepdim=True))
return torch.sigmoid(query) * (pairs @ (weight * value)) / (pairs @ weight)`,
  },
});

export const aftFullFactoredCase = operatorCase({
  name: 'aft-full-factored',
  about: 'AFT-full, bias in factors',
  operators: [aftFullFactoredOperator],
  sizes,
  repeats: 'batch',
  onlyFull: true,
  inputs: (at, draw) => ({
    ...mixed(at, draw),
    u: draw.normals([at.time, at.rank]),
    v: draw.normals([at.time, at.rank], { deviation: 0.1 }),
  }),
  ours: ({ query, key, value, u, v }) => aftFull(query, key, value, { u: u as tf.Tensor2D, v: v as tf.Tensor2D }),
  reference: ({ query, key, value, u, v }, at) =>
    aftFullReference(at, [query.data, key.data, value.data, productOfFactors(u.data, v.data, at.rank), query.data])[0]!,
  gradients({ query, key, value, u, v }, dOutput, at) {
    const made = aftFullReference(at, [query.data, key.data, value.data, productOfFactors(u.data, v.data, at.rank), dOutput]);
    return { query: made[1]!, key: made[2]!, value: made[3]!, ...gradientsOfFactors(u.data, v.data, at.rank, made[4]!) };
  },
  flops: (at) => flops(at, at.rank),
  peers: {
    tfjs: ({ query, key, value, u, v }) => stockAftByProducts(query, key, value, tf.matMul(u, v, false, true)),
    torch: `
bias = u @ v.t()
pairs = torch.exp(bias - bias.amax(1, keepdim=True))
weight = torch.exp(key - key.amax(1, keepdim=True))
return torch.sigmoid(query) * (pairs @ (weight * value)) / (pairs @ weight)`,
  },
});
