import { softmaxCrossEntropy, softmaxCrossEntropyOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import {
  crossEntropyGradientReference,
  crossEntropyReference,
  oneHotReference,
} from '../../../../packages/tensor-ops/src/softmax-cross-entropy/reference';
import { operatorCase } from '../operator-case';

export const crossEntropyCase = operatorCase({
  name: 'cross-entropy',
  about: 'mean cross-entropy of softmax and labels',
  operators: [softmaxCrossEntropyOperator],
  sizes: {
    check: { rows: 37, classes: 67 },
    cpu: { rows: 512, classes: 512 },
    gpu: { rows: 4096, classes: 4096 },
  },
  repeats: 'rows',
  inputs: ({ rows, classes }, draw) => ({ logits: draw.normals([rows, classes]), labels: draw.ids([rows], classes) }),
  ours: ({ logits, labels }) => softmaxCrossEntropy(logits, labels),
  reference: ({ logits, labels }, { classes }) =>
    Float64Array.of(crossEntropyReference(logits.data, oneHotReference(labels.data, classes), classes)),
  gradients: ({ logits, labels }, [dLoss], { classes }) => ({
    logits: crossEntropyGradientReference(logits.data, oneHotReference(labels.data, classes), classes, dLoss),
  }),
  peers: {
    tfjs: ({ logits, labels }, { classes }) => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, classes), logits),
    torch: 'return F.cross_entropy(logits, labels)',
    onnx: () => ({
      nodes: [['SoftmaxCrossEntropyLoss', ['logits', 'labels'], ['output'], { reduction: 'mean' }]],
    }),
    jax({ nn, numpy: np }, { logits, labels }, { classes }) {
      const targets = nn.oneHot(labels, classes);
      return np.negative(np.mean(np.sum(nn.logSoftmax(logits, -1).mul(targets), -1)));
    },
  },
});
