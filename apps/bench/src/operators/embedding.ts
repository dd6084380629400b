import { embedding, embeddingOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { embeddingGradientReference, embeddingReference } from '../../../../packages/tensor-ops/src/embedding/reference';
import { operatorCase } from '../operator-case';

export const embeddingCase = operatorCase({
  name: 'embedding',
  about: 'rows of a table by id',
  operators: [embeddingOperator],
  sizes: {
    check: { classes: 53, tokens: 97, dim: 31 },
    cpu: { classes: 1024, tokens: 1024, dim: 256 },
    gpu: { classes: 32_768, tokens: 16_384, dim: 512 },
  },
  repeats: 'tokens',
  inputs: ({ classes, tokens, dim }, draw) => ({
    table: draw.normals([classes, dim]),
    ids: draw.ids([tokens], classes),
  }),
  ours: ({ table, ids }) => embedding(table, ids),
  reference: ({ table, ids }, { classes, dim }) => embeddingReference(table.data, ids.data, classes, dim),
  gradients: ({ ids }, dOutput, { classes, dim }) => ({
    table: embeddingGradientReference(dOutput, ids.data, classes, dim),
  }),
  leftOut: { both: { 'tfjs ops on tfjs-cpu': 'its gradient of gather passes over all rows once per class, two minutes a run' } },
  peers: {
    tfjs: ({ table, ids }) => tf.gather(table, ids),
    torch: 'return F.embedding(ids, table)',
    onnx: () => ({ nodes: [['Gather', ['table', 'ids'], ['output'], { axis: 0 }]] }),
    jax: ({ numpy: np }, { table, ids }) => np.take(table, ids, 0),
  },
});
