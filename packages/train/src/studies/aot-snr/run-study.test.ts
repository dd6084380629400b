import { describeBackends } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { runStudy, type StudyRun } from './run-study';
import { float32Words, studyCharts, studyPage } from './study-page';

const config = { tokens: 64, dim: 80, headDim: 40, heads: 2, stepSize: 0.1, tau: 0.9, layers: 3 };

describeBackends(
  'the study of signal against noise',
  () => {
    test('every operator runs on every mixture; the theorem holds where it says, and the page shows it', async () => {
      const seen: StudyRun[] = [];
      const result = await runStudy({ ...config, noise: [0.05, 0.6], seeds: [1, 2] }, (run) => seen.push(run));
      expect(seen).toEqual(result.runs);
      expect(result.runs.length).toBe(2 * 3 * 2);
      for (const { operator, noise, snr, exactLayers, outside, float32Difference } of result.runs) {
        expect([snr.length, snr[0]!.length]).toEqual([4, 2]);
        if (noise === 0.05) expect(Math.max(...float32Difference)).toBeLessThan(1e-4);
        expect(float32Difference[1]).toBeGreaterThan(0);
        if (operator !== 'theorem') expect(outside).toContain(`the operator is '${operator}'`);
        else if (noise === 0.05) expect([exactLayers, outside]).toEqual([3, []]);
        else expect([exactLayers, outside]).toEqual([0, ['3 layers are more than the 0 that noise 0.6 allows']]);
      }
      expect(result.predictions[0]).toMatchObject({ noise: 0.05, safeDepth: 18 });
      const [first, second] = result.predictions[0]!.snr;
      expect([first, second! / first!]).toEqual([20, expect.closeTo(1.09, 12)]);

      const page = studyPage(result);
      expect(Object.keys(studyCharts(result))).toEqual(['snr-0.05.svg', 'snr-0.6.svg']);
      expect(page).toContain('The theorem covers its operator in this run.');
      expect(page).toContain('Outside the theorem: 3 layers are more than the 0 that noise 0.6 allows.');
      expect(page).not.toMatch(/NaN|undefined|<(script|link|img)[^>]*(src|href)=/);
    });

    test('a tau outside its interval runs, and is reported', async () => {
      const result = await runStudy({ ...config, tau: 0.4, layers: 1, noise: [0.05], seeds: [1] });
      expect(result.runs[0]!.outside[0]).toMatch(/^tau 0\.4 is not in \(0\.5, 0\.99/);
      expect(studyPage(result)).toContain('Outside the theorem: tau 0.4 is not in (0.5, 0.99');
    });
  },
  { only: ['cpu'] },
);

test('says how far float32 goes the same way', () => {
  const words = (...differences: number[][]) => float32Words(differences.map((float32Difference) => ({ float32Difference })));
  expect(words([0, 2e-6, 1e-6], [0, 1e-6, 3e-6])).toBe('3.0e-6');
  expect(words([0, 2e-6, 1e-6], [0, 1e-6, 3e-2])).toBe('2.0e-6 up to layer 1, then 3.0e-2');
});
