import { softmaxCrossEntropy, softmaxCrossEntropyOperator, softmaxCrossEntropyTargetsOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import {
  crossEntropyGradientReference,
  crossEntropyReference,
  oneHotReference,
} from '../../../../packages/tensor-ops/src/softmax-cross-entropy/reference';
import { operatorCase } from '../operator-case';

const sizes = {
  check: { rows: 37, classes: 67 },
  cpu: { rows: 512, classes: 512 },
  gpu: { rows: 4096, classes: 4096 },
};

export const crossEntropyCase = operatorCase({
  name: 'cross-entropy',
  about: 'mean cross-entropy of softmax and labels',
  operators: [softmaxCrossEntropyOperator],
  sizes,
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

export const crossEntropyTargetsCase = operatorCase({
  name: 'cross-entropy-targets',
  about: 'mean cross-entropy of softmax and a probability for every class',
  operators: [softmaxCrossEntropyTargetsOperator],
  sizes,
  repeats: 'rows',
  inputs({ rows, classes }, draw) {
    const targets = draw.normals([rows, classes], { trained: false });
    return {
      logits: draw.normals([rows, classes]),
      targets: { ...targets, data: Float32Array.from(targets.data, (value) => Math.abs(value) / classes) },
    };
  },
  ours: ({ logits, targets }) => softmaxCrossEntropy(logits, targets),
  reference: ({ logits, targets }, { classes }) => Float64Array.of(crossEntropyReference(logits.data, targets.data, classes)),
  gradients: ({ logits, targets }, [dLoss], { classes }) => ({
    logits: crossEntropyGradientReference(logits.data, targets.data, classes, dLoss),
  }),
  peers: { tfjs: ({ logits, targets }) => tf.losses.softmaxCrossEntropy(targets, logits) },
});
