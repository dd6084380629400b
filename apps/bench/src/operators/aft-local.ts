import { aftLocal, aftLocalBandedOperator, aftLocalDenseOperator, aftLocalFactoredOperator } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import { windowMask } from '../cases/stock-aft-local';
import type { Draw } from '../draw';
import { operatorCase } from '../operator-case';
import { gradientsOfFactors, productOfFactors } from './factors';
import { stockAftByProducts } from './stock-aft-products';
import { type WindowedAftCall, windowedAftReference } from './windowed-aft-reference';

interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly windowSize: number;
}

const mixed = ({ batch, time, dim }: Sizes, draw: Draw) => {
  const shape = [batch, time, dim];
  return { query: draw.normals(shape), key: draw.normals(shape), value: draw.normals(shape) };
};

/** Where the bias of a pair stands: in a band, or in a table. */
function windowedCall({ batch, time, dim, windowSize }: Sizes, bias: 'band' | 'table', causal = false): WindowedAftCall {
  const width = 2 * windowSize - 1;
  const window = (target: number) =>
    Array.from({ length: width }, (_, r) => {
      const source = target - (windowSize - 1) + r;
      return { source, at: bias === 'band' ? target * width + r : target * time + source };
    });
  return { batch, positions: time, dim, heads: dim, causal, window, headStride: 0 };
}

/** It makes every pair of the window, forward alone 1.4 s at T 1024. */
const composed = { 'ours, composed': 'makes every pair of the window: seconds a run' };
const leftOut = { forward: composed, both: composed };

const bandedCases = [false, true].map((causal) =>
  operatorCase({
    name: causal ? 'aft-local-banded-causal' : 'aft-local-banded',
    about: `AFT-local, banded bias${causal ? ', causal' : ''}`,
    operators: [aftLocalBandedOperator],
    sizes: {
      check: { batch: 2, time: 67, dim: 33, windowSize: 5 },
      cpu: { batch: 1, time: 4096, dim: 256, windowSize: 32 },
      gpu: { batch: 8, time: 4096, dim: 512, windowSize: 32 },
    },
    repeats: 'batch',
    onlyFull: true,
    leftOut,
    inputs: (sizes, draw) => ({ ...mixed(sizes, draw), band: draw.normals([sizes.time, 2 * sizes.windowSize - 1]) }),
    ours: ({ query, key, value, band }, { windowSize }) => aftLocal(query, key, value, { band }, { windowSize, causal }),
    reference: ({ query, key, value, band }, sizes) =>
      windowedAftReference(windowedCall(sizes, 'band', causal), [query.data, key.data, value.data, band.data, query.data])[0],
    gradients({ query, key, value, band }, dOutput, sizes) {
      const given = [query.data, key.data, value.data, band.data, dOutput];
      const made = windowedAftReference(windowedCall(sizes, 'band', causal), given);
      return { query: made[1], key: made[2], value: made[3], band: made[4] };
    },
    peers: {
      // The sums of all sources need no table; what the band adds to e^0 is spread over one.
      torch: `
reach, width = windowSize - 1, band.shape[1]
places = torch.arange(time, device=band.device).unsqueeze(1) + torch.arange(width, device=band.device)
excess = torch.zeros(time, time + 2 * reach, device=band.device).scatter(1, places, torch.expm1(band))[:, reach:reach + time]
${causal ? 'excess = excess.tril()' : ''}
weight = torch.exp(key - key.amax(1, keepdim=True))
weighted = weight * value
total = lambda x: ${causal ? 'torch.cumsum(x, 1)' : 'x.sum(1, keepdim=True)'}
return torch.sigmoid(query) * (excess @ weighted + total(weighted)) / (excess @ weight + total(weight))`,
    },
  }),
);

/** Sizes at which tfjs's products of matrices end in a while. */
const tableSizes = {
  check: { batch: 2, time: 67, dim: 33, windowSize: 5, rank: 3 },
  cpu: { batch: 1, time: 1024, dim: 256, windowSize: 32, rank: 64 },
  gpu: { batch: 8, time: 2048, dim: 512, windowSize: 32, rank: 64 },
};

const torchByTable = `
steps = torch.arange(time, device=query.device)
bias = bias * ((steps.unsqueeze(1) - steps).abs() < windowSize)
pairs = torch.exp(bias - bias.amax(1, keepdim=True))
weight = torch.exp(key - key.amax(1, keepdim=True))
return torch.sigmoid(query) * (pairs @ (weight * value)) / (pairs @ weight)`;

const denseCase = operatorCase({
  name: 'aft-local-dense',
  about: 'AFT-local, bias in a table',
  operators: [aftLocalDenseOperator],
  sizes: tableSizes,
  repeats: 'batch',
  onlyFull: 'both',
  leftOut,
  inputs: (sizes, draw) => ({ ...mixed(sizes, draw), positionBias: draw.normals([sizes.time, sizes.time]) }),
  ours: ({ query, key, value, positionBias }, { windowSize }) => aftLocal(query, key, value, positionBias, { windowSize }),
  reference: ({ query, key, value, positionBias }, sizes) =>
    windowedAftReference(windowedCall(sizes, 'table'), [query.data, key.data, value.data, positionBias.data, query.data])[0],
  gradients({ query, key, value, positionBias }, dOutput, sizes) {
    const given = [query.data, key.data, value.data, positionBias.data, dOutput];
    const made = windowedAftReference(windowedCall(sizes, 'table'), given);
    return { query: made[1], key: made[2], value: made[3], positionBias: made[4] };
  },
  peers: {
    tfjs: ({ query, key, value, positionBias }, { time, windowSize }) =>
      stockAftByProducts(query, key, value, tf.mul(positionBias, windowMask(time, windowSize))),
    torch: `bias = positionBias${torchByTable}`,
  },
});

const factoredCase = operatorCase({
  name: 'aft-local-factored',
  about: 'AFT-local, bias in factors',
  operators: [aftLocalFactoredOperator],
  sizes: tableSizes,
  repeats: 'batch',
  onlyFull: true,
  leftOut,
  inputs: (sizes, draw) => ({
    ...mixed(sizes, draw),
    u: draw.normals([sizes.time, sizes.rank]),
    v: draw.normals([sizes.time, sizes.rank], { deviation: 0.1 }),
  }),
  ours: ({ query, key, value, u, v }, { windowSize }) => aftLocal(query, key, value, { u, v }, { windowSize }),
  reference({ query, key, value, u, v }, sizes) {
    const bias = productOfFactors(u.data, v.data, sizes.rank);
    return windowedAftReference(windowedCall(sizes, 'table'), [query.data, key.data, value.data, bias, query.data])[0];
  },
  gradients({ query, key, value, u, v }, dOutput, sizes) {
    const bias = productOfFactors(u.data, v.data, sizes.rank);
    const made = windowedAftReference(windowedCall(sizes, 'table'), [query.data, key.data, value.data, bias, dOutput]);
    return { query: made[1], key: made[2], value: made[3], ...gradientsOfFactors(u.data, v.data, sizes.rank, made[4]) };
  },
  peers: {
    tfjs: ({ query, key, value, u, v }, { time, windowSize }) =>
      stockAftByProducts(query, key, value, tf.mul(tf.matMul(u, v, false, true), windowMask(time, windowSize))),
    torch: `bias = u @ v.t()${torchByTable}`,
  },
});

export const aftLocalCases = [...bandedCases, denseCase, factoredCase];
