import { aftConv1d, aftConv1dOperator, aftConv2d, aftConv2dOperator } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import { type AnyTensor, operatorCase, type Sizes } from '../operator-case';
import { windowedAftReference } from './windowed-aft-reference';

/** The inputs of a call, over a line or a grid. */
type Names = 'query' | 'key' | 'value' | 'kernel';

/**
 * AFT-conv as a PyTorch user writes it: the paper's eq. 6 by depthwise convolutions, with the largest key taken off. `total` sums over
 * the sources: all of them, or up to each target.
 */
const torchBody = (places: string, convolve: string, total = `x.sum(${places}, keepdim=True)`) => `
wide = lambda x, axis: x.repeat_interleave(dim // heads, axis)
weight = torch.exp(key - torch.amax(key, ${places}, keepdim=True))
weighted = wide(weight, -1) * value
excess = torch.expm1(kernel)
total = lambda x: ${total}
def conv(x, w):
    ${convolve}
numerator = conv(weighted, wide(excess, 0)) + total(weighted)
denominator = conv(weight, excess) + total(weight)
return torch.sigmoid(query) * numerator / wide(denominator, -1)`;

/** The same by tfjs ops. */
function stockConv(axes: number[], { query, key, value, kernel }: Record<Names, AnyTensor>): tf.Tensor {
  const [heads, windowHeight, windowWidth] = kernel.shape as [number, number, number];
  const dim = query.shape.at(-1)!;
  const wide = (x: tf.Tensor) => {
    const rest = x.shape.slice(0, -1);
    return tf.reshape(tf.tile(tf.expandDims(x, -1), [...x.shape.map(() => 1), dim / heads]), [...rest, dim]);
  };
  const weight = tf.exp(tf.sub(key, tf.max(key, axes, true)));
  const weighted = tf.mul(wide(weight), value);
  const excess = tf.transpose(tf.expm1(kernel), [1, 2, 0]);
  const conv = (x: tf.Tensor, taps: tf.Tensor) =>
    tf.depthwiseConv2d(
      x as tf.Tensor4D,
      tf.reshape(taps, [windowHeight, windowWidth, x.shape.at(-1)!, 1]) as tf.Tensor4D,
      1,
      'same',
    );
  const numerator = tf.add(conv(weighted, wide(excess)), tf.sum(weighted, axes, true));
  const denominator = tf.add(conv(weight, excess), tf.sum(weight, axes, true));
  return tf.div(tf.mul(tf.sigmoid(query), numerator), wide(denominator));
}

const referenceOf = (
  inputs: Record<Names, { data: ArrayLike<number> }>,
  { batch, time, height = 1, width = time!, dim, heads, window, windowHeight = 1, windowWidth = window! }: Sizes,
  dOutput: ArrayLike<number>,
  causal = false,
) => {
  const [centerY, centerX] = [Math.floor((windowHeight - 1) / 2), causal ? windowWidth - 1 : Math.floor((windowWidth - 1) / 2)];
  const taps = windowHeight * windowWidth;
  /** A tap that reads beyond the image reads no position. */
  const windowOf = (target: number) =>
    Array.from({ length: taps }, (_, at) => {
      const y = Math.floor(target / width) + Math.floor(at / windowWidth) - centerY;
      const x = (target % width) + (at % windowWidth) - centerX;
      return { source: y >= 0 && y < height && x >= 0 && x < width ? y * width + x : -1, at };
    });
  const given = [inputs.query.data, inputs.key.data, inputs.value.data, inputs.kernel.data, dOutput];
  const call = { batch: batch!, positions: height * width, dim: dim!, heads: heads!, causal, window: windowOf, headStride: taps };
  const [output, query, key, value, kernel] = windowedAftReference(call, given);
  return { output, gradients: { query, key, value, kernel } };
};

function stockLine({ query, key, value, kernel }: Record<Names, AnyTensor>): tf.Tensor {
  const [q, k, v] = [query, key, value].map((x) => tf.expandDims(x, 1)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return tf.reshape(stockConv([1, 2], { query: q, key: k, value: v, kernel: tf.expandDims(kernel, 1) }), query.shape);
}

const lineCases = [false, true].map((causal) =>
  operatorCase({
    name: causal ? 'aft-conv-1d-causal' : 'aft-conv-1d',
    about: `AFT-conv over time, a head per channel${causal ? ', causal' : ''}`,
    operators: [aftConv1dOperator],
    sizes: {
      check: { batch: 2, time: 67, dim: 34, heads: 17, window: 5 },
      cpu: { batch: 1, time: 1024, dim: 256, heads: 256, window: 31 },
      gpu: { batch: 8, time: 2048, dim: 512, heads: 512, window: 31 },
    },
    repeats: 'batch',
    onlyFull: causal,
    inputs: ({ batch, time, dim, heads, window }, draw) => ({
      query: draw.normals([batch, time, dim]),
      key: draw.normals([batch, time, heads]),
      value: draw.normals([batch, time, dim]),
      kernel: draw.normals([heads, window]),
    }),
    ours: ({ query, key, value, kernel }) => aftConv1d(query, key, value, kernel, { causal }),
    reference: (inputs, sizes) => referenceOf(inputs, sizes, inputs.query.data, causal).output,
    gradients: (inputs, dOutput, sizes) => referenceOf(inputs, sizes, dOutput, causal).gradients,
    peers: {
      ...(causal ? {} : { tfjs: stockLine }),
      torch: torchBody(
        '1',
        `return F.conv1d(F.pad(x.transpose(1, 2), (${causal ? 'window - 1, 0' : '(window - 1) // 2, window // 2'})), w.unsqueeze(1), groups=w.shape[0]).transpose(1, 2)`,
        causal ? 'torch.cumsum(x, 1)' : undefined,
      ),
    },
  }),
);

const gridCases = [16, 384].map((heads) =>
  operatorCase({
    name: `aft-conv-2d-${heads}`,
    about: `AFT-conv over an image, ${heads} heads of ${384 / heads} channels`,
    operators: [aftConv2dOperator],
    sizes: {
      check: { batch: 2, height: 5, width: 7, dim: 24, heads: heads === 384 ? 24 : 4, windowHeight: 3, windowWidth: 3 },
      cpu: { batch: 1, height: 14, width: 14, dim: 384, heads, windowHeight: 11, windowWidth: 11 },
      gpu: { batch: 64, height: 14, width: 14, dim: 384, heads, windowHeight: 11, windowWidth: 11 },
    },
    repeats: 'batch',
    onlyFull: 'both',
    inputs: ({ batch, height, width, dim, heads: count, windowHeight, windowWidth }, draw) => ({
      query: draw.normals([batch, height, width, dim]),
      key: draw.normals([batch, height, width, count]),
      value: draw.normals([batch, height, width, dim]),
      kernel: draw.normals([count, windowHeight, windowWidth]),
    }),
    ours: ({ query, key, value, kernel }) => aftConv2d(query, key, value, kernel),
    reference: (inputs, sizes) => referenceOf(inputs, sizes, inputs.query.data).output,
    gradients: (inputs, dOutput, sizes) => referenceOf(inputs, sizes, dOutput).gradients,
    peers: {
      tfjs: (inputs) => stockConv([1, 2], inputs),
      torch: torchBody(
        '(1, 2)',
        'return F.conv2d(x.permute(0, 3, 1, 2), w.unsqueeze(1), padding=(windowHeight // 2, windowWidth // 2), groups=w.shape[0]).permute(0, 2, 3, 1)',
      ),
    },
  }),
);

export const aftConvCases = [...lineCases, ...gridCases];
