import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { denseBasis } from '../basis/dense-basis';
import {
  cpParameter,
  depthwiseParameter,
  groupedParameter,
  lowRankParameter,
  parameterCount,
  separableParameter,
  sharedLowRankParameter,
  tuckerParameter,
} from '../parameter/parameter';
import { convolutionCost } from './convolution-cost';
import { generalizedConvolution } from './generalized-convolution';

const ones = (...shape: number[]) => tf.ones(shape) as never;

describeBackends(
  'generalizedConvolution',
  () => {
    test('refuses what does not fit, in words, and leaks nothing', async () => {
      const [x, basis, theta] = [tf.ones<tf.Rank.R3>([2, 5, 4]), denseBasis(tf.ones<tf.Rank.R3>([3, 5, 6])), ones(3, 4, 7)];
      const refusals: [() => unknown, string, string][] = [
        [
          () => generalizedConvolution(x, basis, ones(3, 2, 7)),
          'ShapeError',
          "generalizedConvolution: axis 'inputDim' is 4 in x but 2 in theta\n  x      [batch source inputDim]     [2, 5, 4]\n" +
            '  basis  [terms source target]       [3, 5, 6]\n  theta  [terms inputDim outputDim]  [3, 2, 7]',
        ],
        [() => generalizedConvolution(x, basis, ones(2, 4, 7)), 'ShapeError', "axis 'terms' is 3 in basis but 2 in theta"],
        [() => generalizedConvolution(ones(2, 6, 4), basis, theta), 'ShapeError', "axis 'source' is 6 in x but 5 in basis"],
        [
          () => generalizedConvolution(x, basis, theta, { bias: ones(6) }),
          'ShapeError',
          "axis 'outputDim' is 7 in theta but 6 in bias",
        ],
        [
          () => generalizedConvolution(x, denseBasis(ones(3, 3, 5, 6)), theta),
          'ShapeError',
          "axis 'batch' is 2 in x but 3 in basis",
        ],
        [
          () => generalizedConvolution(x, basis, theta, { order: 'factored' }),
          'OptionError',
          "order 'factored' needs a parameter with factors, got one of the form 'full'",
        ],
        [
          () => generalizedConvolution(x, basis, theta, { order: 'first' as never }),
          'OptionError',
          "option order must be one of 'auto'",
        ],
        [() => generalizedConvolution(x, basis, theta, { biases: 1 } as never), 'OptionError', "unknown option 'biases'"],
        [() => denseBasis(ones(5, 6)), 'ShapeError', 'denseBasis: tensor must have the axes [terms input output]'],
        [() => denseBasis(ones(0, 5, 6)), 'ShapeError', 'denseBasis: a basis has at least one term, got 0'],
        [() => basis.apply(ones(2, 6, 4)), 'ShapeError', "denseBasis.apply: axis 'nodes' is 6 in [2, 6, 4] but 5 in the basis"],
        [
          () => basis.applySum(ones(2, 5, 2, 4)),
          'ShapeError',
          "denseBasis.applySum: axis 'terms' is 2 in [2, 5, 2, 4] but 3 in the basis",
        ],
        [
          () => lowRankParameter({ u: ones(3, 4, 2), v: ones(3, 4, 3) }),
          'ShapeError',
          "lowRankParameter: axis 'rank' is 2 in u but 3 in v",
        ],
      ];
      for (const [refused, name, message] of refusals) {
        await expectNoLeak(() => {
          tf.tidy(() => {
            expect(refused).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
          });
        });
      }
    });

    test('counts the numbers of a parameter', () => {
      const [K, P, Q, D, R] = [3, 4, 6, 2, 5];
      expect(parameterCount(lowRankParameter({ u: ones(K, P, D), v: ones(K, Q, D) }))).toBe(K * (P + Q) * D);
      expect(parameterCount(sharedLowRankParameter({ u: ones(P, D), v: ones(K, Q, D) }))).toBe(P * D + K * Q * D);
      expect(parameterCount(depthwiseParameter(ones(K, P)))).toBe(K * P);
      expect(parameterCount(separableParameter({ depthwise: ones(K, P), pointwise: ones(P, Q) }))).toBe(K * P + P * Q);
      expect(parameterCount(groupedParameter(ones(K, 2, P / 2, Q / 2)))).toBe((K * P * Q) / 2);
      expect(parameterCount(cpParameter({ u: ones(P, R), mixing: ones(K, R), v: ones(Q, R) }))).toBe(R * (K + P + Q));
      const tucker = { core: ones(2, 3, 5), terms: ones(K, 2), input: ones(P, 3), output: ones(Q, 5) };
      expect(parameterCount(tuckerParameter(tucker))).toBe(K * 2 + P * 3 + Q * 5 + 2 * 3 * 5);
    });

    test('the cost tells the cheapest order: of dense graphs the basis goes first where 1/M + 1/Q <= 1/N + 1/P', () => {
      for (const [M, N, P, Q] of [
        [8, 8, 4, 16],
        [8, 8, 16, 4],
        [4, 32, 8, 8],
        [32, 4, 8, 8],
        [7, 5, 3, 11],
      ] as const) {
        const dims = { terms: 3, inputSize: M, outputSize: N, inputDim: P, outputDim: Q };
        const { best, basisFirst, parameterFirst } = convolutionCost(dims, 3 * M * N);
        expect(basisFirst).toBe(3 * (M * N * P + N * P * Q));
        expect(parameterFirst).toBe(3 * (M * P * Q + M * N * Q));
        expect(best).toBe(1 / M + 1 / Q <= 1 / N + 1 / P ? 'basisFirst' : 'parameterFirst');
      }
      const low = convolutionCost({ terms: 2, inputSize: 64, outputSize: 64, inputDim: 32, outputDim: 32, rank: 2 }, 2 * 64 * 64);
      expect(low.best).toBe('factored');
      expect(low.factored).toBe(64 * 2 * 32 * 2 + 2 * 64 * 64 * 2 + 64 * 2 * 2 * 32);
      expect(() => convolutionCost({ terms: 1 } as never, 1)).toThrow('convolutionCost: dims.inputSize is needed');
      expect(() => convolutionCost({ terms: 1.5 } as never, 1)).toThrow('option terms must be an integer above 0');
    });

    test('apply and applyAdjoint are adjoint, and the transpose of the transpose is the basis', async () => {
      const graphs = tf.randomUniform<tf.Rank.R3>([3, 5, 4], -1, 1, 'float32', 7);
      const basis = denseBasis(graphs);
      const x = tf.randomUniform<tf.Rank.R3>([2, 5, 3], -1, 1, 'float32', 8);
      const h = tf.randomUniform<tf.Rank.R4>([2, 4, 3, 3], -1, 1, 'float32', 9);
      const [left] = await tf.sum(tf.mul(basis.apply(x), h)).data();
      const [right] = await tf.sum(tf.mul(x, basis.applyAdjoint(h))).data();
      expect(left).toBeCloseTo(right!, 4);
      expect(basis.transposed().transposed()).toBe(basis);
      expect(Array.from(await basis.transposed().toDense().data())).toEqual(
        Array.from(await tf.transpose(graphs, [0, 2, 1]).data()),
      );
    });
  },
  { only: ['cpu'] },
);
