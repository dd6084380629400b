import { enableWasmKernels } from '@mixfold/tensor-ops';
import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../../register-gradients';
import { beforeAll, expect, test } from 'vitest';
import { windowBatch } from '../../data/sample-batch';
import { textCorpus } from '../../data/text-corpus';
import { languageModel } from '../../model/language-model';
import { createRandom } from '../../random/random';
import { evaluate } from '../../training/evaluate';
import { OBSERVED } from './contestants';
import { byLikeness, type ObservedHead, observeHeads } from './observe-heads';
import { lossWith } from './replace-heads';
import { runStudy, type StudyRun } from './run-study';
import { studyPage } from './study-page';

const corpus = textCorpus(new TextEncoder().encode('Call me Ishmael. Some years ago, never mind. '.repeat(60)), 'a test');
const config = { dim: 8, layers: 2, heads: 2, context: 12, batch: 2, rate: 0.01, steps: 8, seeds: 1, windows: 6 };

describeBackends(
  'the study of shift heads',
  ({ wasmBuild }) => {
    beforeAll(async () => {
      await enableWasmKernels();
    });

    test('a head whose queries meet the keys of the token before is a shift, and can be replaced by one', async () => {
      // Keys hold the place, queries the place before it, as one-hot vectors; the values of the other half of the channels are copied.
      const time = 6;
      const model = languageModel({ mixer: 'mhsa', heads: 1, position: 'none', dim: 12, layers: 1 });
      const params = model.init(createRandom(1));
      const places = tf.eye(time);
      const batch = windowBatch(corpus.validation, [0, 20], time);
      const [observed] = await observeHeads(
        {
          ...model,
          apply: (weights, inputs, options) =>
            model.apply(weights, inputs, {
              ...options,
              watch: (layer, heads) => {
                const oneHot = (x: tf.Tensor) =>
                  tf.mul(tf.tile(tf.reshape(x, [1, 1, time, time]), [2, 1, 1, 1]), 20) as tf.Tensor4D;
                const before = tf.concat([tf.slice(places, [0, 0], [1, -1]), tf.slice(places, [0, 0], [time - 1, -1])], 0);
                return options.watch!(layer, { ...heads, query: oneHot(before), key: oneHot(places) });
              },
            }),
        },
        params,
        batch,
      );
      expect(observed).toMatchObject({ layer: 0, head: 0, bestOffset: 1, label: 'shift' });
      expect(observed!.diagonalMean).toBeCloseTo(1, 5);
    });

    test('the loss without replacements is that of evaluate; a replaced head changes it', async () => {
      const model = languageModel({ mixer: 'mhsa', heads: 2, dim: 8, layers: 2 });
      const params = model.init(createRandom(2));
      const windows = { context: 12, starts: [0, 12, 24], batch: 2 };
      const text = corpus.validation.slice(0, 37);
      const before = await lossWith(model, params, text, windows, []);
      const { loss } = await evaluate(model, params, text, { context: 12, batch: 2 });
      expect(before).toBeCloseTo(loss, 6);
      for (const offset of [1, 'mean'] as const) {
        const after = await lossWith(model, params, text, windows, [{ layer: 1, head: 0, offset }]);
        expect(after).not.toBe(before);
        expect(Math.abs(after - before)).toBeLessThan(1);
      }
      // All values of a first token are before the text.
      const far = await lossWith(model, params, text, windows, [{ layer: 0, head: 0, offset: 12 }]);
      expect(Number.isFinite(far)).toBe(true);
    });

    if (wasmBuild !== 'simd128') return;

    test('trains every model, scores and replaces the heads, draws a page, and leaves nothing behind', async () => {
      const before = tf.memory().numTensors;
      const reported: StudyRun[] = [];
      const result = await runStudy(corpus, config, (run) => reported.push(run));
      expect(tf.memory().numTensors).toBe(before);
      expect(result.runs).toEqual(reported);
      expect(result.runs.map(({ group }) => group).filter((group) => group === 'attention')).toHaveLength(5);
      expect(new Set(result.runs.map(({ model }) => model)).size).toBe(18);
      for (const { loss, trainingLosses } of result.runs) {
        expect(loss).toBeLessThan(Math.log(256) + 0.5);
        expect(trainingLosses).toHaveLength(8);
      }
      // Four looks at two layers of two heads.
      expect(result.heads.map(({ step }) => step)).toEqual([2, 4, 6, 8].flatMap((step) => new Array(4).fill(step)));
      const observed = result.runs.find(({ model }) => model === OBSERVED)!;
      expect(result.replacements).toHaveLength(3 * 4);
      for (const { lossBefore, count, replacements } of result.replacements) {
        expect(lossBefore).toBe(observed.loss);
        expect(replacements).toHaveLength(count);
      }
      const all = result.replacements.filter(({ count }) => count === 4);
      expect(all[0]!.lossAfter).toBeCloseTo(all[1]!.lossAfter, 6);
      const page = studyPage(result, { script: '/* uPlot */', style: '' });
      for (const part of ['8 terms, cp of rank 32', OBSERVED, '/* uPlot */', '"replacements"']) expect(page).toContain(part);
    });
  },
  { only: ['wasm'] },
);

test('heads are ranked by likeness to a shift; one that looks at itself comes last', () => {
  const head = (bestOffset: number, diagonalMean: number) => ({ bestOffset, diagonalMean }) as ObservedHead;
  const [self, strong, weak] = [head(0, 0.99), head(2, 0.6), head(1, 0.2)];
  expect(byLikeness([weak, self, strong])).toEqual([strong, weak, self]);
});
