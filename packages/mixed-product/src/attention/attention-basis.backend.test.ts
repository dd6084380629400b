import { assertClose, describeForms, expectNoLeak, runConformance, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { agreesWithItsMatrices } from '../basis/test-twins';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { convolutionReference } from '../generalized-convolution/reference';
import { lowRankParameter } from '../parameter/parameter';
import { agrees, type Given } from '../test-agreement';
import { type AttentionBasisOptions, attentionBasis } from './attention-basis';
import { attentionReference, projectReference } from './reference';

// Batch, heads, source, target, keyDim, queryDim, headDim, inputDim, outputDim.
const [B, K, M, N, P1, Q1, D, P, Q] = [2, 2, 5, 4, 3, 4, 3, 3, 2] as const;
const sizes = { batch: B, terms: K, source: M, target: N, inputDim: P, outputDim: Q };

type Plain = Record<string, Float64Array>;
type Pairs = Parameters<typeof attentionReference>[0];

/** Inputs that every case has. */
const common = (random: SeededRandom) => ({
  x: random.normals([B, M, P]),
  keyInput: random.normals([B, M, P1]),
  queryInput: random.normals([B, N, Q1]),
  theta: random.normals([K, P, Q]),
});
const weightShapes = { keyWeights: [K, P1, D], queryWeights: [K, Q1, D], keyBias: [K, D], queryBias: [K, D] };

const draw = (random: SeededRandom, shapes: Record<string, readonly number[]>) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, random.normals(shape)]));

/** Keys and queries of weights. */
const projected = (plain: Plain) => ({
  key: projectReference(plain.keyInput!, plain.keyWeights!, [B, M, P1], [K, D], plain.keyBias),
  query: projectReference(plain.queryInput!, plain.queryWeights!, [B, N, Q1], [K, D], plain.queryBias),
  size: D,
  temperature: Math.sqrt(D),
});

const shape = { batch: B, heads: K, source: M, target: N };

describeForms('attentionBasis', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu' && form.form === 'composed';

  runConformance(form, 'attentionConvolution', ({ keyInput, queryInput, valueInput, lambda_, theta }, attrs) =>
    generalizedConvolution(
      valueInput as tf.Tensor3D,
      attentionBasis({
        keyInput: keyInput as tf.Tensor3D,
        queryInput: queryInput as tf.Tensor3D,
        scores: { lambda: lambda_ as tf.Tensor3D },
        temperature: attrs.temperature as number,
      }),
      theta as tf.Tensor3D,
    ),
  );
  if (isSlow) return;

  /** The convolution over a basis against the one over reference graphs, in one order of evaluation. */
  const holds = async (
    shapes: Record<string, readonly number[]>,
    options: (given: Given) => Partial<AttentionBasisOptions> & Pick<AttentionBasisOptions, 'scores'>,
    pairs: (plain: Plain) => Omit<Pairs, keyof typeof shape>,
    order: 'basisFirst' | 'parameterFirst' = 'basisFirst',
    of?: readonly string[],
  ) => {
    const random = new SeededRandom(Object.keys(shapes).length);
    await agrees(
      form,
      { ...common(random), ...draw(random, shapes) },
      (given: Given) => {
        const { keyInput, queryInput } = given as Record<string, tf.Tensor3D>;
        const basis = attentionBasis({ keyInput: keyInput!, queryInput: queryInput!, ...options(given) });
        return generalizedConvolution(given.x as tf.Tensor3D, basis, given.theta as tf.Tensor3D, { order });
      },
      (plain: Plain) =>
        convolutionReference(sizes, {
          x: plain.x!,
          basis: attentionReference({ ...shape, ...pairs(plain) }),
          theta: plain.theta!,
        }),
      random.normals([B * N * Q]).data,
      of as never,
    );
  };
  const weights = ({ keyWeights, queryWeights, keyBias, queryBias }: Given) =>
    ({ keyWeights, queryWeights, ...(keyBias ? { keyBias } : {}), ...(queryBias ? { queryBias } : {}) }) as never;

  for (const order of ['basisFirst', 'parameterFirst'] as const) {
    test(`keys and queries by weights and biases, ${order}`, async () => {
      await holds(weightShapes, (given) => ({ scores: weights(given) }), projected, order);
    });

    test(`collaborative: projections that all heads share, ${order}`, async () => {
      const R = 4;
      await holds(
        { u: [P1, R], mixing: [K, R], v: [Q1, R] },
        ({ u, mixing, v }) => ({ scores: { u: u as tf.Tensor2D, mixing: mixing as tf.Tensor2D, v: v as tf.Tensor2D } }),
        ({ keyInput, queryInput, u, mixing, v }) => {
          const each = (matrix: Float64Array, dim: number, mix: boolean) =>
            Float64Array.from(
              { length: K * dim * R },
              (_, i) => matrix[i % (dim * R)]! * (mix ? mixing![Math.floor(i / (dim * R)) * R + (i % R)]! : 1),
            );
          return {
            key: projectReference(keyInput!, each(u!, P1, false), [B, M, P1], [K, R]),
            query: projectReference(queryInput!, each(v!, Q1, true), [B, N, Q1], [K, R]),
            size: R,
            temperature: 1,
          };
        },
        order,
      );
    });
  }

  test('a mask, a bias and a temperature; an output that sees nothing receives 0', async () => {
    const seen = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1];
    await holds(
      { ...weightShapes, bias: [K, N, M] },
      (given) => ({ scores: weights(given), bias: given.bias!, mask: tf.tensor2d(seen, [N, M], 'bool'), temperature: 0.7 }),
      (plain) => ({
        ...projected(plain),
        temperature: 0.7,
        bias: (_, k, n, m) => (seen[n * M + m] ? plain.bias![(k * N + n) * M + m]! : Number.NEGATIVE_INFINITY),
      }),
    );
  });

  for (const batched of [false, true]) {
    test(`structure: features of pairs in keys and queries, of ${batched ? 'each sample' : 'all samples'}`, async () => {
      const R = 2;
      await holds(
        { ...weightShapes, features: [...(batched ? [B] : []), N, M, R], keyOfPairs: [K, R, D], queryOfPairs: [K, R, D] },
        (given) => ({
          scores: weights(given),
          structure: {
            features: given.features!,
            keyWeights: given.keyOfPairs as tf.Tensor3D,
            queryWeights: given.queryOfPairs as tf.Tensor3D,
          },
        }),
        (plain) => {
          const added = (own: Float64Array) => (b: number, k: number, n: number, m: number, d: number) => {
            let sum = 0;
            for (let r = 0; r < R; r++)
              sum += plain.features![(((batched ? b * N : 0) + n) * M + m) * R + r]! * own[(k * R + r) * D + d]!;
            return sum;
          };
          return { ...projected(plain), keyOfPair: added(plain.keyOfPairs!), queryOfPair: added(plain.queryOfPairs!) };
        },
        'basisFirst',
        [
          'keyInput',
          'queryInput',
          'keyWeights',
          'queryWeights',
          'keyBias',
          'queryBias',
          'features',
          'keyOfPairs',
          'queryOfPairs',
        ],
      );
    });
  }

  // Row d + M - 1 of a table is the offset d = n - m: target minus source.
  const rowOf = (n: number, m: number) => n - m + M - 1;

  test('structure: relative positions of Shaw, and of queries too, one table for all heads', async () => {
    const L = M + N - 1;
    await holds(
      { ...weightShapes, keyTable: [L, D], queryTable: [K, L, D] },
      (given) => ({
        scores: weights(given),
        structure: { keyTable: given.keyTable as tf.Tensor2D, queryTable: given.queryTable as tf.Tensor3D },
      }),
      (plain) => ({
        ...projected(plain),
        keyOfPair: (_, __, n, m, d) => plain.keyTable![rowOf(n, m) * D + d]!,
        queryOfPair: (_, k, n, m, d) => plain.queryTable![(k * L + rowOf(n, m)) * D + d]!,
      }),
      'basisFirst',
      ['keyInput', 'queryInput', 'keyWeights', 'queryWeights', 'queryBias', 'keyTable', 'queryTable'],
    );
  });

  test('structure: Transformer-XL, (q + u) k + (q + v) r', async () => {
    const L = M + N - 1;
    const { keyBias: _, ...shapes } = weightShapes;
    await holds(
      { ...shapes, keyTable: [K, L, D], positionBias: [K, D] },
      (given) => ({
        scores: weights(given),
        structure: { keyTable: given.keyTable as tf.Tensor3D, positionBias: given.positionBias as tf.Tensor2D },
      }),
      (plain) => {
        const { key, query, size, temperature } = projected(plain);
        const bias = (b: number, k: number, n: number, m: number) => {
          let sum = 0;
          for (let d = 0; d < D; d++) {
            const asked = query[((b * K + k) * N + n) * D + d]! - plain.queryBias![k * D + d]! + plain.positionBias![k * D + d]!;
            sum += asked * plain.keyTable![(k * L + rowOf(n, m)) * D + d]!;
          }
          return sum / temperature;
        };
        return { key, query, size, temperature, bias };
      },
    );
  });

  test('along edges, with features of edges and a bias, what a mask of the same pairs gives', async () => {
    const [source, target, R] = [[0, 3, 1, 4, 2, 2, 0], [0, 0, 1, 1, 1, 3, 3], 2];
    const E = source.length;
    const edgeOf = (n: number, m: number) => source.findIndex((from, e) => from === m && target[e] === n);
    await holds(
      { ...weightShapes, features: [E, R], keyOfEdges: [K, R, D], queryOfEdges: [K, R, D], bias: [E, K] },
      (given) => ({
        scores: weights(given),
        edges: { source, target },
        bias: given.bias!,
        structure: {
          features: given.features!,
          keyWeights: given.keyOfEdges as tf.Tensor3D,
          queryWeights: given.queryOfEdges as tf.Tensor3D,
        },
      }),
      (plain) => {
        const added = (own: Float64Array) => (_: number, k: number, n: number, m: number, d: number) => {
          const e = edgeOf(n, m);
          let sum = 0;
          for (let r = 0; r < R && e >= 0; r++) sum += plain.features![e * R + r]! * own[(k * R + r) * D + d]!;
          return sum;
        };
        return {
          ...projected(plain),
          keyOfPair: added(plain.keyOfEdges!),
          queryOfPair: added(plain.queryOfEdges!),
          bias: (_, k, n, m) => (edgeOf(n, m) < 0 ? Number.NEGATIVE_INFINITY : plain.bias![edgeOf(n, m) * K + k]!),
        };
      },
      'parameterFirst',
      [
        'x',
        'keyInput',
        'queryInput',
        'keyWeights',
        'queryWeights',
        'queryBias',
        'features',
        'keyOfEdges',
        'queryOfEdges',
        'bias',
      ],
    );
  });

  test('its maps and those of its transpose are those of its matrices, whose columns sum to 1', async () => {
    const random = new SeededRandom(3);
    const given = Object.fromEntries(
      Object.entries({ ...common(random), ...draw(random, weightShapes) }).map(([name, values]) => [name, tensorOf(values)]),
    ) as Record<string, tf.Tensor3D>;
    const basis = attentionBasis({ keyInput: given.keyInput!, queryInput: given.queryInput!, scores: weights(given) });
    expect(basis).toMatchObject({ terms: K, inputSize: M, outputSize: N, samples: B, edges: K * M * N });
    const dense = await agreesWithItsMatrices(form, basis);
    expect(dense.shape).toEqual([B, K, M, N]);
    for (const sum of await tf.sum(dense, 2).data()) expect(sum).toBeCloseTo(1, 5);
  });

  test('a key bias is inert: the output is the same, and its gradient 0', async () => {
    const random = new SeededRandom(4);
    const given = Object.fromEntries(
      Object.entries({ ...common(random), ...draw(random, weightShapes) }).map(([name, values]) => [name, tensorOf(values)]),
    ) as Record<string, tf.Tensor3D>;
    const call = (keyBias: tf.Tensor) => {
      const basis = attentionBasis({
        keyInput: given.keyInput!,
        queryInput: given.queryInput!,
        scores: weights({ ...given, keyBias }),
      });
      return generalizedConvolution(given.x!, basis, given.theta!);
    };
    const { value, grad } = form.run(() => tf.valueAndGrad(call)(given.keyBias!));
    const without = form.run(() => call(tf.zeros([K, D])));
    await assertClose('output', value, await without.data(), { relative: 5 * form.tolerance.forward });
    for (const slope of await grad.data()) expect(Math.abs(slope)).toBeLessThan(1e-5);
  });

  test('leaks nothing once it is disposed', async () => {
    const x = tf.ones<tf.Rank.R3>([2, 4, 3]);
    const matrices = tf.ones<tf.Rank.R3>([2, 3, 2]);
    const parameter = lowRankParameter({ u: tf.ones([2, 3, 2]), v: tf.ones([2, 5, 2]) });
    await expectNoLeak(() => {
      const basis = attentionBasis({ keyInput: x, queryInput: x, scores: { keyWeights: matrices, queryWeights: matrices } });
      form.run(() => generalizedConvolution(x, basis, parameter, { order: 'factored' })).dispose();
      basis.dispose();
    });
    await expectNoLeak(() =>
      tf.tidy(() => {
        const call = (given: tf.Tensor) =>
          generalizedConvolution(
            given as tf.Tensor3D,
            attentionBasis({
              keyInput: given as tf.Tensor3D,
              queryInput: given as tf.Tensor3D,
              scores: { lambda: tf.ones([2, 3, 3]) },
            }),
            parameter,
          );
        form.run(() => tf.grad(call)(x));
      }),
    );
  });
});
