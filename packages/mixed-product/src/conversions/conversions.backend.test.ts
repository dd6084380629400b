import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { attentionBasis } from '../attention/attention-basis';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { permuted, viewAs } from '../tape/views';
import { agrees, type Given } from '../test-agreement';
import { type AttentionWeights, multiHeadAttentionToMixedProduct } from './attention-weights';
import { conv1dToMixedProduct, conv2dToMixedProduct } from './convolution-weights';

// Sizes of a cross attention: batch, target, source, query dim, memory dim, heads, head size, output dim.
const [B, N, M, Q, P, K, D, O] = [2, 3, 4, 4, 6, 2, 3, 4] as const;

type Plain = Record<string, Float64Array>;

/** Multi-head attention as textbooks have it, on weights `[dim, heads headDim]`, in float64: heads side by side, then `wo`. */
function multiHead({ x, memory, wq, wk, wv, wo, bq, bk, bv, bo }: Plain): Float64Array {
  const at = (rows: Float64Array, i: number, depth: number, w: Float64Array, width: number, j: number, bias: Float64Array) => {
    let sum = bias[j]!;
    for (let p = 0; p < depth; p++) sum += rows[i * depth + p]! * w[p * width + j]!;
    return sum;
  };
  const out = new Float64Array(B * N * O);
  for (let b = 0; b < B; b++) {
    for (let n = 0; n < N; n++) {
      const joined = new Float64Array(K * D);
      for (let k = 0; k < K; k++) {
        const scores = Array.from({ length: M }, (_, m) => {
          let sum = 0;
          for (let d = k * D; d < (k + 1) * D; d++) {
            sum += at(x!, b * N + n, Q, wq!, K * D, d, bq!) * at(memory!, b * M + m, P, wk!, K * D, d, bk!);
          }
          return Math.exp(sum / Math.sqrt(D));
        });
        const total = scores.reduce((sum, score) => sum + score, 0);
        scores.forEach((score, m) => {
          for (let d = k * D; d < (k + 1) * D; d++) joined[d]! += (score / total) * at(memory!, b * M + m, P, wv!, K * D, d, bv!);
        });
      }
      for (let o = 0; o < O; o++) out[(b * N + n) * O + o] = at(joined, 0, K * D, wo!, O, o, bo!);
    }
  }
  return out;
}

/** The textbook's weights in the layouts of frameworks. */
const layouts: Record<string, (given: Given) => Partial<AttentionWeights>> = {
  matrix: (given) => given as never,
  // Linear layers keep the transposes. Moved by our own views, whose gradients are there.
  torch: ({ wq, wk, wv, wo }) => {
    const turned = (w: tf.Tensor | undefined) => permuted(w!, [1, 0]);
    return { wq: turned(wq), wk: turned(wk), wv: turned(wv), wo: turned(wo), layout: 'torch' };
  },
  keras: ({ wq, wk, wv, wo, bq, bk, bv }) => ({
    wq: viewAs(wq!, [Q, K, D]),
    wk: viewAs(wk!, [P, K, D]),
    wv: viewAs(wv!, [P, K, D]),
    wo: viewAs(wo!, [K, D, O]),
    bq: viewAs(bq!, [K, D]),
    bk: viewAs(bk!, [K, D]),
    bv: viewAs(bv!, [K, D]),
    layout: 'keras',
  }),
};

describeForms('conversions', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu';
  if (isSlow && form.form === 'composed') return test('are tested on other forms', () => expect(form.form).toBe('composed'));

  for (const [layout, weightsIn] of Object.entries(layouts).slice(0, isSlow ? 1 : 3)) {
    test(`multi-head attention, weights as of ${layout}, is a convolution over attention, its gradients too`, async () => {
      const random = new SeededRandom(layout.length);
      const weights = {
        wq: [Q, K * D],
        wk: [P, K * D],
        wv: [P, K * D],
        wo: [K * D, O],
        bq: [K * D],
        bk: [K * D],
        bv: [K * D],
        bo: [O],
      };
      const drawn = Object.fromEntries(Object.entries(weights).map(([name, shape]) => [name, random.normals(shape, 0.7)]));
      await agrees(
        form,
        { x: random.normals([B, N, Q]), memory: random.normals([B, M, P]), ...drawn } as Record<
          string,
          ReturnType<SeededRandom['normals']>
        >,
        ({ x, memory, ...own }) => {
          const { scores, parameter, bias } = multiHeadAttentionToMixedProduct({ ...own, ...weightsIn(own), heads: K } as never);
          const basis = attentionBasis({ keyInput: memory as tf.Tensor3D, queryInput: x as tf.Tensor3D, scores });
          return generalizedConvolution(memory as tf.Tensor3D, basis, parameter, { bias });
        },
        multiHead,
        random.normals([B * N * O]).data,
        // The key bias is dropped: it is inert.
        ['x', 'memory', 'wq', 'wk', 'wv', 'wo', 'bq', 'bv', 'bo'],
      );
    });
  }

  test('lambda has keys on the left: it gives the patterns that the weights give', async () => {
    const random = new SeededRandom(5);
    const draw = (...shape: number[]) => tensorOf(random.normals(shape));
    const own = { wq: draw(Q, K * D), wk: draw(P, K * D), wv: draw(P, K * D), wo: draw(K * D, O), heads: K };
    const inputs = { queryInput: draw(B, N, Q) as tf.Tensor3D, keyInput: draw(B, M, P) as tf.Tensor3D };
    const { scores, lambda, theta } = form.run(() => multiHeadAttentionToMixedProduct(own));
    const [first, second] = [form.run(lambda), form.run(theta)];
    expect([first.shape, second.shape]).toEqual([
      [K, P, Q],
      [K, P, O],
    ]);
    const byWeights = form.run(() => attentionBasis({ ...inputs, scores }).toDense());
    const byLambda = form.run(() => attentionBasis({ ...inputs, scores: { lambda: first } }).toDense());
    await assertClose('patterns', byLambda, await byWeights.data(), { relative: 5 * form.tolerance.forward });
  });

  test.each([
    ['keras', {}],
    ['keras', { stride: 2, padding: 'causal' }],
    ['torch', { padding: 1 }],
    ['torch', { dilation: 2, groups: 2 }],
  ] as const)(
    'conv1d, kernel as of %s, %j',
    async (layout, {
      groups = 1,
      ...options
    }: { groups?: number; padding?: 'causal' | number; stride?: number; dilation?: number }) => {
      const random = new SeededRandom(6);
      const [length, window, inputDim, outputDim] = [9, 3, 4, 6];
      const x = random.normals([2, length, inputDim]);
      const kernel = random.normals([window, inputDim / groups, outputDim]);
      const keras = tensorOf<tf.Tensor3D>(kernel);
      const given = layout === 'torch' ? tf.transpose(keras, [2, 1, 0]) : keras;
      const { basis, parameter } = conv1dToMixedProduct(given, { length, layout, groups, ...options });
      const y = form.run(() => generalizedConvolution(tensorOf<tf.Tensor3D>(x), basis, parameter));
      const zeros =
        options.padding === 'causal'
          ? [window - 1, 0]
          : typeof options.padding === 'number'
            ? [options.padding, options.padding]
            : [0, 0];
      const padded = tf.pad(tensorOf<tf.Tensor3D>(x), [[0, 0], zeros as [number, number], [0, 0]]);
      const mode = layout === 'keras' && options.padding === undefined ? 'same' : 'valid';
      const parts = tf
        .split(padded, groups, 2)
        .map((part, g) =>
          tf.conv1d(
            part as tf.Tensor3D,
            tf.split(keras, groups, 2)[g]! as tf.Tensor3D,
            options.stride ?? 1,
            mode,
            'NWC',
            options.dilation ?? 1,
          ),
        );
      const expected = tf.concat(parts, 2);
      await assertClose(
        'output',
        y,
        { shape: expected.shape, data: await expected.data() },
        { relative: 2 * form.tolerance.forward },
      );
    },
  );

  test.each(['keras', 'torch'] as const)('conv2d, kernel as of %s', async (layout) => {
    const random = new SeededRandom(7);
    const x = tensorOf<tf.Tensor4D>(random.normals([2, 5, 4, 3]));
    const keras = tensorOf<tf.Tensor4D>(random.normals([3, 2, 3, 4]));
    const given = layout === 'torch' ? tf.transpose(keras, [3, 2, 0, 1]) : keras;
    const { basis, parameter } = conv2dToMixedProduct(given, { height: 5, width: 4, stride: [2, 1], layout });
    const y = form.run(() => generalizedConvolution(tf.reshape(x, [2, 20, 3]), basis, parameter));
    const expected = tf.conv2d(x, keras, [2, 1], layout === 'keras' ? 'same' : 'valid');
    await assertClose('output', y, await expected.data(), { relative: 2 * form.tolerance.forward });
  });

  test('refuse what does not fit', () => {
    const ones = (...shape: number[]) => tf.ones(shape) as never;
    const own = { wq: ones(4, 6), wk: ones(4, 6), wv: ones(4, 6), wo: ones(6, 4) };
    expect(() => multiHeadAttentionToMixedProduct({ ...own, heads: 4 })).toThrow(
      'heads must divide the columns of wq, got 4 and 6',
    );
    expect(() => multiHeadAttentionToMixedProduct({ ...own, wk: ones(4, 9), heads: 3 })).toThrow(
      "axis 'headDim' is 2 in wq but 3 in wk",
    );
    expect(() => multiHeadAttentionToMixedProduct(own as never)).toThrow('option heads is needed');
    expect(() => multiHeadAttentionToMixedProduct({ ...own, heads: 2, layout: 'jax' as never })).toThrow(
      "option layout must be one of 'matrix'",
    );
    expect(() => conv1dToMixedProduct(ones(3, 2), { length: 4 })).toThrow('conv1dToMixedProduct: kernel must have 3 axes');
    expect(() => conv1dToMixedProduct(ones(3, 2, 5), { length: 4, groups: 2 })).toThrow(
      'groups must divide the output channels, got 2 and 5',
    );
  });
});
