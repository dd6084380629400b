import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseResult } from './report';

/** What the page tells above its charts. */
export interface PageHead {
  readonly date: string;
  readonly commit: string | null;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
}

/** Observable Plot and d3, which it draws with, as they stand in this package's dependencies. */
const libraries = ['d3/dist/d3.min.js', '@observablehq/plot/dist/plot.umd.min.js'];

/** Draws the charts in the reader's browser. It is text of the page, and sees `results`, `d3` and `Plot` alone. */
const drawing = `
const kind = ({ name, isLimit }) => isLimit ? 'limit of the machine' : name.startsWith('ours') ? 'mixfold' : name.startsWith('tfjs') ? 'tfjs' : 'other libraries';
const color = { domain: ['mixfold', 'tfjs', 'other libraries', 'limit of the machine'], range: ['#d62728', '#ff9d3c', '#3b6fb6', '#8a8a8a'], legend: true };
const put = (id, node) => document.getElementById(id).append(node);
const timed = results.filter(({ timings }) => timings && timings.length > 0);
const ratios = timed.flatMap((result) => result.timings.filter(({ overOurs }) => overOurs !== undefined).map((timing) => ({ ...timing, of: result.name })));
if (ratios.length > 0) put('overview', Plot.plot({
  marginLeft: 240, width: 1000, color, grid: true,
  x: { type: 'log', label: 'times as long as ours (median over median)', tickFormat: '~g' },
  y: { domain: [...new Set(ratios.map(({ of }) => of))], label: null },
  marks: [Plot.ruleX([1]), Plot.dot(ratios, { x: 'overOurs', y: 'of', stroke: kind, r: 4, tip: true, channels: { name: 'name', form: 'form' } })],
}));
timed.forEach((result) => put('case-' + result.name, Plot.plot({
  marginLeft: 280, marginRight: 130, width: 1000, color, grid: true,
  x: { type: 'log', label: 'milliseconds, from the least to the median', tickFormat: '~g' },
  y: { domain: result.timings.map(({ name }) => name), label: null },
  marks: [
    Plot.link(result.timings, { x1: 'min', x2: 'median', y1: 'name', y2: 'name', stroke: kind, strokeWidth: 3 }),
    Plot.dot(result.timings, { x: 'median', y: 'name', fill: kind, r: 5, tip: true, channels: { form: 'form', samples: 'samples' } }),
    Plot.text(result.timings, { x: 'median', y: 'name', dx: 10, textAnchor: 'start', text: ({ median, overOurs }) => d3.format('.3~g')(median) + ' ms' + (overOurs === undefined ? '' : ', ' + d3.format('.3~g')(overOurs) + ' x') }),
  ],
})));`;

const style = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 1020px; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { margin: 2.5rem 0 0; font-size: 1.15rem } p { margin: .3rem 0 } .missing, .rows { color: #555; font-size: .9rem }
.met { color: #1b7837 } .missed { color: #b2182b } table { border-collapse: collapse } td { padding: 0 1.5rem 0 0 }`;

/** A page of charts in one file, which asks nothing of a network. */
export function chartPage({ date, commit, machine }: PageHead, results: readonly CaseResult[]): string {
  const scripts = libraries.map((path) => readFileSync(join(import.meta.dirname, '../node_modules', path), 'utf8'));
  // A closing tag inside a script would end it.
  const data = JSON.stringify(results).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>mixfold benchmarks</title><style>${style}</style></head>
<body>
<h1>mixfold benchmarks</h1>
<p>${escaped(machine.cpu)}, ${machine.cores} cores, Node ${escaped(machine.node)}, commit ${escaped(commit ?? 'unknown')}, ${escaped(date)}</p>
<h2>Everyone over ours</h2>
<div id="overview"></div>
${results.map(sectionOf).join('\n')}
${[...scripts, `const results = ${data};`, drawing].map((code) => `<script>${code.replaceAll('</script', '<\\/script')}</script>`).join('\n')}
</body>
</html>
`;
}

function sectionOf({ name, about, rows = [], targets = [], missing = [], failure }: CaseResult): string {
  return [
    `<h2>${escaped(name)}</h2><p>${escaped(about)}</p>`,
    failure === undefined ? '' : `<p class="missed">Not timed, the check failed: ${escaped(failure)}</p>`,
    `<div id="case-${escaped(name)}"></div>`,
    rows.length === 0
      ? ''
      : `<table class="rows">${rows.map((row) => `<tr><td>${escaped(row.name)}<td>${escaped(row.value)}`).join('')}</table>`,
    ...targets.map(({ text, value, atLeast, atMost, met }) => {
      const bound = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
      return `<p class="${met ? 'met' : 'missed'}">${escaped(text)}: ${value.toFixed(2)}, ${bound}</p>`;
    }),
    missing.length === 0
      ? ''
      : `<p class="missing">Not timed: ${missing.map((each) => `${escaped(each.name)} (${escaped(each.reason)})`).join('; ')}</p>`,
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
