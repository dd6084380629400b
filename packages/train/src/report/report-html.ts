import { embeddedJson, escapeHtml, htmlPage } from '../page/html-page';
import type { PlottingLibrary } from '../page/plotting-library';
import type { ReportData } from './report-data';

/** The page of a report, with the plotting library inside. */
export function reportHtml(data: ReportData, uplot: PlottingLibrary): string {
  const { title, facts, sample, ...curves } = data;
  const body = `<div id="curves"></div>
<p class="note">Loss in nats per byte. Validation text is held out; the last point takes all of it, those before a part. Order 0 and order 1 are the entropies that byte
frequencies and byte pairs of the training text reach on it: what lies below order 1 comes from looking further back than one byte.</p>
<section class="facts">${facts.map(([section, rows]) => table(section, rows)).join('\n')}</section>
${sample === null ? '' : `<h2>Sample</h2>\n<pre><b>${escapeHtml(sample.prompt)}</b>${escapeHtml(sample.text)}</pre>`}
<script>${uplot.script}</script>
${embeddedJson('data', curves)}
<script>${script}</script>`;
  return htmlPage({ title, body, style: uplot.style + style });
}

function table(section: string, rows: readonly [string, string][]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`);
  return `<table><caption>${escapeHtml(section)}</caption>${lines.join('')}</table>`;
}

const style = `
.facts { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: flex-start; }
caption { font-weight: 600; text-align: left; padding-bottom: .3rem; }
th { font-weight: 400; text-align: left; color: #57606a; padding-right: 1rem; } td { font-variant-numeric: tabular-nums; }
pre { background: #f6f8fa; padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

const script = `
const data = JSON.parse(document.getElementById('data').textContent);
const box = document.getElementById('curves');
const line = (value) => data.steps.map(() => value);
const plot = new uPlot({
  width: box.clientWidth, height: 380, scales: { x: { time: false } },
  axes: [{ label: 'step' }, { label: 'loss, nats per byte' }],
  series: [
    { label: 'step' },
    { label: 'training', stroke: '#8c959f', width: 1 },
    { label: 'validation', stroke: '#0969da', width: 2, spanGaps: true, points: { show: true, size: 6, fill: '#0969da' } },
    { label: 'order 0', stroke: '#bf8700', dash: [4, 4] },
    { label: 'order 1', stroke: '#cf222e', dash: [4, 4] },
  ],
}, [data.steps, data.training, data.validation, line(data.order0), line(data.order1)], box);
addEventListener('resize', () => plot.setSize({ width: box.clientWidth, height: 380 }));
`;
