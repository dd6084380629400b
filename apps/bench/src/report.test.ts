import { expect, it } from 'vitest';
import { assertNear } from './assert-near';
import { chartPage } from './chart-page';
import { percentOfLimit } from './gpu/gpu-result';
import { judge } from './report';

const timing = (name: string, median: number, rest = {}) => ({ name, form: '', min: median, median, samples: 3, ...rest });

it('tells times over ours, and the share of the slowest limit', () => {
  const copy = timing('copy', 1, { isLimit: true });
  const arithmetic = [4, 2].map((ms) => timing(`peak ${ms}`, ms, { isLimit: true, gflops: 1 }));
  const [ours, peer, limit] = judge([timing('ours', 4), timing('peer', 8), copy, ...arithmetic], 'ours');
  expect(ours).toMatchObject({ overOurs: 1, percentOfLimit: 50 });
  expect(peer).toMatchObject({ overOurs: 2, percentOfLimit: 25 });
  expect(limit).not.toHaveProperty('overOurs');
});

it('limits a GPU by memory or by arithmetic, whichever is slower', () => {
  const limits = { copyGBs: 1000, matMulGFs: 10_000, registerGFs: 20_000 };
  expect(percentOfLimit(2, 1e9, null, limits)).toBeCloseTo(50);
  expect(percentOfLimit(4, 1e9, 2e10, limits)).toBeCloseTo(50);
  expect(percentOfLimit(4, 1e9, null, undefined)).toBeNull();
});

it('names the worst number, and refuses NaN and other lengths', () => {
  assertNear('x', [1, 2], [1, 2.000001], 1e-5);
  expect(() => assertNear('x', [1, 3], [1, 2], 1e-5)).toThrow('worst at 1: 3 for 2');
  expect(() => assertNear('x', [1, Number.NaN], [1, 2], 1)).toThrow('worst at 1: NaN for 2');
  expect(() => assertNear('x', [1], [1, 2], 1)).toThrow('1 numbers, expected 2');
});

it('puts a page into one file, whatever names hold', () => {
  const head = { date: 'today', commit: null, machine: { cpu: '<cpu>', cores: 2, node: 'v20' } };
  const page = chartPage(head, [
    {
      name: 'case',
      about: '</script><b>',
      timings: judge([timing('ours', 1)], 'ours'),
      missing: [{ name: 'peer', reason: 'is <not> here' }],
    },
  ]);
  expect(page).toContain('&lt;cpu>');
  expect(page).toContain('peer (is &lt;not> here)');
  expect(page).not.toMatch(/<(script|link|img)[^>]* (src|href)=/);
  expect(page).toContain('\\u003c/script>\\u003cb>');
});
