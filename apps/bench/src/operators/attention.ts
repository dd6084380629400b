import { scaledDotProductAttention, scaledDotProductAttentionOperator } from '@mixfold/mixed-product';
import * as tf from '@tensorflow/tfjs-core';
import type { Draw, Input } from '../draw';
import { type OperatorCase, operatorCase } from '../operator-case';
import { attentionRows } from './attention-reference';

const sizes = {
  check: { batch: 2, heads: 3, time: 67, headDim: 20 },
  cpu: { batch: 1, heads: 8, time: 1024, headDim: 32 },
  gpu: { batch: 8, heads: 8, time: 1024, headDim: 64 },
};
type Sizes = (typeof sizes)['check'];
type Name = 'query' | 'key' | 'value' | 'bias';

/** Two products forward and five backward, of which a causal call needs half. */
const flops = ({ batch, heads, time, headDim }: Sizes, causal: boolean) => {
  const product = (2 * batch * heads * time * time * headDim) / (causal ? 2 : 1);
  return { forward: 2 * product, both: 7 * product };
};

/** Scores `[batch, heads, time, time]` as a user of tfjs alone would make and mask them. */
const stockScores = (query: tf.Tensor, key: tf.Tensor) =>
  tf.mul(tf.matMul(query, key, false, true), 1 / Math.sqrt(query.shape[3]!));

function attentionCase(
  name: string,
  about: string,
  { causal = false, biased = false },
  peers: NonNullable<OperatorCase<Sizes, Name>['peers']>,
): OperatorCase {
  const inputs = (at: Sizes, draw: Draw) => {
    const shape = [at.batch, at.heads, at.time, at.headDim];
    const drawn: Record<string, Input> = { query: draw.normals(shape), key: draw.normals(shape), value: draw.normals(shape) };
    if (biased) drawn.bias = draw.normals([at.heads, at.time, at.time]);
    return drawn as Record<Name, Input>;
  };
  const made = ({ query, key, value, bias }: Record<Name, Input>, at: Sizes, dOutput?: ArrayLike<number>) =>
    attentionRows(at, {
      query: query.data,
      key: key.data,
      value: value.data,
      bias: biased ? bias.data : undefined,
      causal,
      dOutput,
    });
  return operatorCase<Sizes, Name>({
    name,
    about,
    operators: [scaledDotProductAttentionOperator],
    sizes,
    repeats: 'batch',
    onlyFull: true,
    inputs,
    ours: ({ query, key, value, bias }) =>
      scaledDotProductAttention(query, key, value, { causal, bias: biased ? bias : undefined }),
    reference: (given, at) => made(given, at).output,
    gradients(given, dOutput, at) {
      const { dQuery, dKey, dValue, dBias } = made(given, at, dOutput);
      return { query: dQuery, key: dKey, value: dValue, ...(biased ? { bias: dBias } : {}) };
    },
    flops: (at) => flops(at, causal),
    bounds: { forward: 4, both: 4 },
    peers,
  });
}

export const attentionCases: readonly OperatorCase[] = [
  attentionCase(
    'attention',
    'softmax attention',
    {},
    {
      tfjs: ({ query, key, value }) => tf.matMul(tf.softmax(stockScores(query, key)), value),
      torch: `
if hasattr(F, 'scaled_dot_product_attention'):
  return F.scaled_dot_product_attention(query, key, value)
return torch.softmax(query @ key.transpose(-2, -1) * headDim ** -0.5, -1) @ value`,
      onnx: ({ headDim }) => ({
        nodes: [
          ['Transpose', ['key'], ['across'], { perm: [0, 1, 3, 2] }],
          ['MatMul', ['query', 'across'], ['products']],
          ['Mul', ['products', 'scale'], ['scores']],
          ['Softmax', ['scores'], ['weights'], { axis: -1 }],
          ['MatMul', ['weights', 'value'], ['output']],
        ],
        constants: { scale: { shape: [], data: Float32Array.of(headDim ** -0.5) } },
      }),
    },
  ),
  attentionCase(
    'attention-causal',
    'causal softmax attention',
    { causal: true },
    {
      tfjs: ({ query, key, value }, { time }) => {
        const places = tf.range(0, time);
        const earlier = tf.lessEqual(tf.reshape(places, [1, time]), tf.reshape(places, [time, 1]));
        const hidden = tf.where(earlier, tf.zeros([time, time]), tf.fill([time, time], -1e9));
        return tf.matMul(tf.softmax(tf.add(stockScores(query, key), hidden)), value);
      },
      torch: `
if hasattr(F, 'scaled_dot_product_attention'):
  return F.scaled_dot_product_attention(query, key, value, is_causal=True)
hidden = torch.ones(time, time, dtype=torch.bool, device=query.device).triu(1)
scores = (query @ key.transpose(-2, -1) * headDim ** -0.5).masked_fill(hidden, float('-inf'))
return torch.softmax(scores, -1) @ value`,
    },
  ),
  attentionCase(
    'attention-bias',
    'softmax attention with a bias per head',
    { biased: true },
    {
      tfjs: ({ query, key, value, bias }) => tf.matMul(tf.softmax(tf.add(stockScores(query, key), bias)), value),
      torch: `
if hasattr(F, 'scaled_dot_product_attention'):
  return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
return torch.softmax(query @ key.transpose(-2, -1) * headDim ** -0.5 + bias, -1) @ value`,
    },
  ),
];
