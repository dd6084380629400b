import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { attentionBasis } from './attention-basis';

const ones = (...shape: number[]) => tf.ones(shape) as never;

describeBackends(
  'attentionBasis',
  () => {
    test('refuses what does not fit, in words', () => {
      const inputs = { keyInput: ones(2, 5, 3), queryInput: ones(2, 4, 6) };
      const scores = { keyWeights: ones(2, 3, 4), queryWeights: ones(2, 6, 4) };
      const structure = { features: ones(4, 5, 2), keyWeights: ones(2, 2, 4) };
      const refusals: [() => unknown, string][] = [
        [() => attentionBasis({ ...inputs } as never), 'option scores is needed'],
        [() => attentionBasis({ ...inputs, scores: {} as never }), 'scores must be {lambda}, {keyWeights, queryWeights'],
        [
          () => attentionBasis({ ...inputs, scores: { lambda: ones(2, 6, 3) } }),
          "axis 'keyDim' is 3 in keyInput but 6 in lambda",
        ],
        [
          () => attentionBasis({ ...inputs, queryInput: ones(1, 4, 6), scores }),
          "axis 'batch' is 2 in keyInput but 1 in queryInput",
        ],
        [
          () => attentionBasis({ ...inputs, scores, temperature: 0 }),
          'option temperature must be a finite number above 0, got 0',
        ],
        [() => attentionBasis({ ...inputs, scores, temprature: 1 } as never), "unknown option 'temprature'"],
        [
          () => attentionBasis({ ...inputs, scores, edges: { source: [5], target: [0] } }),
          'edges.source[0] is 5, but must be an integer from 0 to source - 1 = 4',
        ],
        [
          () => attentionBasis({ ...inputs, scores, edges: { source: [0], target: [0] }, mask: ones(4, 5) }),
          'leave the mask out, or the edges',
        ],
        [
          () => attentionBasis({ ...inputs, scores: { lambda: ones(2, 3, 6) }, structure }),
          'structure needs keys and queries of each head; give keyWeights and queryWeights',
        ],
        [
          () => attentionBasis({ ...inputs, scores, structure: { features: ones(5, 4, 2), keyWeights: ones(2, 2, 4) } }),
          "axis 'target' is 4 in query but 5 in features",
        ],
        [
          () => attentionBasis({ ...inputs, scores, structure: { features: ones(4, 5, 2) } }),
          'structure needs keyWeights, queryWeights or both',
        ],
        [
          () => attentionBasis({ ...inputs, scores, structure: { keyTable: ones(9, 4) } }),
          "axis 'offsets' is 8 in pairs but 9 in keyTable",
        ],
        [
          () => attentionBasis({ ...inputs, scores, edges: { source: [0], target: [0] }, structure: { keyTable: ones(8, 4) } }),
          'relative positions are of all pairs; with edges give structure.features',
        ],
      ];
      for (const [refused, message] of refusals) expect(refused).toThrow(message);
    });
  },
  { only: ['cpu'] },
);
