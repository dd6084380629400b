import { aftSimple, aftSimpleCausalOperator, aftSimpleOperator } from '@mixfold/aft';
import { operatorCase } from '../operator-case';
import { aftSimpleReference } from './aft-simple-reference';
import { stockAftSimple, stockCausalAftSimple } from './stock-aft-simple';

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
    bounds: { forward: 8, both: 10 },
    peers: {
      tfjs: ({ query, key, value }) => (causal ? stockCausalAftSimple : stockAftSimple)(query, key, value),
      torch: causal
        ? `
weight = torch.exp(key - key.amax(1, keepdim=True))
return torch.sigmoid(query) * torch.cumsum(weight * value, 1) / torch.cumsum(weight, 1)`
        : 'return torch.sigmoid(query) * (torch.softmax(key, 1) * value).sum(1, keepdim=True)',
      onnx: () => ({
        nodes: causal
          ? [
              ['ReduceMax', ['key', 'time'], ['largest']],
              ['Sub', ['key', 'largest'], ['shifted']],
              ['Exp', ['shifted'], ['weight']],
              ['Mul', ['weight', 'value'], ['weighted']],
              ['CumSum', ['weighted', 'axis'], ['numerator']],
              ['CumSum', ['weight', 'axis'], ['denominator']],
              ['Div', ['numerator', 'denominator'], ['mixed']],
              ['Sigmoid', ['query'], ['gate']],
              ['Mul', ['gate', 'mixed'], ['output']],
            ]
          : [
              ['Softmax', ['key'], ['weight'], { axis: 1 }],
              ['Mul', ['weight', 'value'], ['weighted']],
              ['ReduceSum', ['weighted', 'time'], ['mixed']],
              ['Sigmoid', ['query'], ['gate']],
              ['Mul', ['gate', 'mixed'], ['output']],
            ],
        constants: {
          time: { shape: [1], data: BigInt64Array.of(1n) },
          ...(causal ? { axis: { shape: [], data: BigInt64Array.of(1n) } } : {}),
        },
      }),
      jax({ nn, numpy: np }, { query, key, value }) {
        if (!causal) return nn.sigmoid(query).mul(np.sum(nn.softmax(key, 1).mul(value), 1, { keepdims: true }));
        const weight = np.exp(key.ref.sub(np.max(key, 1, { keepdims: true })));
        return nn.sigmoid(query).mul(np.cumsum(weight.ref.mul(value), 1).div(np.cumsum(weight, 1)));
      },
    },
  }),
);
