import { expect, test } from 'vitest';
import { lineChart } from './line-chart';

const chart = {
  title: 'a < b',
  xLabel: 'layers',
  yLabel: 'ratio',
  x: [0, 1, 2, 3],
};

/** Points of the paths of a line's color. */
const points = (svg: string, color: string) =>
  [...svg.matchAll(/<path d="(M[^"]*)" fill="none" stroke="([^"]*)"/g)]
    .filter(([, , stroke]) => stroke === color)
    .map(([, path]) => path!.split(/(?=[ML])/).map((point) => [point[0], ...point.slice(1).split(' ').map(Number)] as const));

test('geometric growth is a straight line, and names are escaped', () => {
  const svg = lineChart({ ...chart, lines: [{ name: 'x & y', color: 'red', values: [1, 2, 4, 8] }] });
  const [path] = points(svg, 'red');
  expect(path!.map(([command]) => command).join('')).toBe('MLLL');
  for (const coordinate of [1, 2] as const) {
    const steps = [1, 2, 3].map((i) => (path![i]![coordinate] as number) - (path![i - 1]![coordinate] as number));
    for (const step of steps) expect(Math.abs(step - steps[0]!)).toBeLessThan(0.21);
  }
  expect(path![3]![2]).toBeLessThan(path![0]![2] as number);
  expect(svg).toContain('<title>a &lt; b</title>');
  expect(svg).toContain('x &amp; y');
  for (const tick of [1, 2, 5]) expect(svg).toContain(`>${tick}</text>`);
});

test('what no logarithm has interrupts a line, and a chart of nothing else is still a chart', () => {
  const svg = lineChart({ ...chart, lines: [{ name: 'gaps', color: 'red', values: [1, Number.NaN, 2, 0] }] });
  expect(points(svg, 'red')[0]!.map(([command]) => command)).toEqual(['M', 'M']);
  const empty = lineChart({ ...chart, x: [0], lines: [{ name: 'none', color: 'red', values: [Number.POSITIVE_INFINITY] }] });
  expect(empty).not.toMatch(/NaN|Infinity/);
});

test('a band lies behind its line, and a mark has its words', () => {
  const line = { name: 'with a band', color: 'red', values: [2, 2, 2, 2], low: [1, 1, 1, 1], high: [3, 3, 3, 3] };
  const svg = lineChart({ ...chart, lines: [line], mark: { x: 2, label: 'safe' } });
  expect(svg.match(/<polygon points="([^"]*)"/)![1]!.split(' ').length).toBe(8);
  expect(svg).toContain('>safe</text>');
  expect(lineChart({ ...chart, lines: [line], mark: { x: 9, label: 'safe' } })).not.toContain('safe');
});
