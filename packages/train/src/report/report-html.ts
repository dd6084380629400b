import type { ReportData } from './report-data';

/** The page of a report, with the plotting library inside. */
export function reportHtml(data: ReportData, uplot: { script: string; style: string }): string {
  const { title, facts, sample, ...curves } = data;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${uplot.style}${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<div id="curves"></div>
<p class="note">Loss in nats per byte. Validation text is held out; the last point takes all of it, those before a part. Order 0 and order 1 are the entropies that byte
frequencies and byte pairs of the training text reach on it: what lies below order 1 comes from looking further back than one byte.</p>
<section class="facts">${facts.map(([section, rows]) => table(section, rows)).join('\n')}</section>
${sample === null ? '' : `<h2>Sample</h2>\n<pre><b>${escapeHtml(sample.prompt)}</b>${escapeHtml(sample.text)}</pre>`}
<script>${uplot.script}</script>
<script type="application/json" id="data">${JSON.stringify(curves).replaceAll('<', '\\u003c')}</script>
<script>${script}</script>
</body>
</html>
`;
}

function table(section: string, rows: readonly [string, string][]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`);
  return `<table><caption>${escapeHtml(section)}</caption>${lines.join('')}</table>`;
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character]!);

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1b1f24; background: #fff; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
.note { color: #57606a; max-width: 48rem; }
.facts { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: flex-start; }
table { border-collapse: collapse; } caption { font-weight: 600; text-align: left; padding-bottom: .3rem; }
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
