import { aftSimple, aftSimpleCausalOperator, aftSimpleOperator } from '@mixfold/aft';
import { stockAftSimple, stockCausalAftSimple } from '../cases/stock-aft-simple';
import { operatorCase } from '../operator-case';
import { aftSimpleReference } from './aft-simple-reference';

export const aftSimpleCases = [false, true].map((causal) =>
  operatorCase({
    name: causal ? 'aft-simple-causal' : 'aft-simple',
    about: `AFT-simple${causal ? ', causal' : ''}`,
    operators: [causal ? aftSimpleCausalOperator : aftSimpleOperator],
    sizes: {
      check: { batch: 2, time: 67, dim: 33 },
      cpu: { batch: 1, time: 1024, dim: 256 },
      gpu: { batch: 8, time: 2048, dim: 512 },
    },
    repeats: 'batch',
    inputs({ batch, time, dim }, draw) {
      const shape = [batch, time, dim];
      return { query: draw.normals(shape), key: draw.normals(shape), value: draw.normals(shape) };
    },
    ours: ({ query, key, value }) => aftSimple(query, key, value, { causal }),
    reference: ({ query, key, value }, sizes) =>
      aftSimpleReference({ ...sizes, causal }, [query.data, key.data, value.data, query.data])[0],
    gradients({ query, key, value }, dOutput, sizes) {
      const made = aftSimpleReference({ ...sizes, causal }, [query.data, key.data, value.data, dOutput]);
      return { query: made[1], key: made[2], value: made[3] };
    },
    peers: {
      tfjs: ({ query, key, value }) => (causal ? stockCausalAftSimple : stockAftSimple)(query, key, value),
      torch: causal
        ? `
weight = torch.exp(key - key.amax(1, keepdim=True))
return torch.sigmoid(query) * torch.cumsum(weight * value, 1) / torch.cumsum(weight, 1)`
        : 'return torch.sigmoid(query) * (torch.softmax(key, 1) * value).sum(1, keepdim=True)',
    },
  }),
);
