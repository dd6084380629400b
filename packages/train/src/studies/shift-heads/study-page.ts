import { embeddedJson, escapeHtml, htmlPage, htmlTable } from '../../page/html-page';
import type { PlottingLibrary } from '../../page/plotting-library';
import type { StudyResult, StudyRun } from './run-study';

/** The page of the study, with the plotting library inside: tables and charts of the figures as they came out. */
export function studyPage(result: StudyResult, uplot: PlottingLibrary): string {
  const { config, text } = result;
  const charts = { replacements: replacementCurves(result), heads: headCurves(result), convolutions: convolutionPoints(result) };
  const body = `<p class="note">Byte-level language models of width ${config.dim}, ${config.layers} layers and ${config.heads} heads, trained for ${config.steps} steps of ${config.batch} sequences of
${config.context} bytes on ${escapeHtml(text)}, ${config.seeds} seeds each. Losses are nats per byte on ${config.windows} held-out windows; mean over the seeds, and the
least and largest. Small models and short trainings: read differences between rows, not the figures themselves.</p>
<h2>Ways to know positions</h2>
${runsTable(result, 'attention')}
<h2>Heads of attention with learned positions, while it trains</h2>
<p class="note">Diagonal mean of every head at its best offset, seed 1: 1 is a true shift. A head counts as a shift from 0.8 on, if 0.9 of its targets also have their largest
weight there.</p>
<div id="heads"></div>
${headsTable(result)}
<h2>True shifts in the place of its heads</h2>
<p class="note">Held-out loss of the trained model when 1, 2, ... heads are replaced at once, without further training. Controls: as many random heads by the shifts that fit
them best, and the same heads by the mean of their output.</p>
<div id="replacements"></div>
<h2>Convolutions over shifts: terms and factors</h2>
<div id="convolutions"></div>
${runsTable(result, 'convolution')}
<script>${uplot.script}</script>
${embeddedJson('data', charts)}
<script>${script}</script>`;
  const title = 'Do attention heads act like shifts? What does a structured convolution lose with fewer numbers?';
  return htmlPage({ title, body, style: uplot.style });
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

function byModel(result: StudyResult, group: StudyRun['group']): Map<string, StudyRun[]> {
  const found = new Map<string, StudyRun[]>();
  for (const run of result.runs) if (run.group === group) found.set(run.model, [...(found.get(run.model) ?? []), run]);
  return found;
}

function runsTable(result: StudyResult, group: StudyRun['group']): string {
  const rows = [...byModel(result, group)].map(([name, runs]) => {
    const losses = runs.map(({ loss }) => loss);
    return [name, runs[0]!.weights, ...[mean(losses), Math.min(...losses), Math.max(...losses)].map((loss) => loss.toFixed(4))];
  });
  return htmlTable(['model', 'weights', 'mean loss', 'least', 'largest'], rows);
}

function headsTable({ heads, config }: StudyResult): string {
  const rows = heads
    .filter(({ step }) => step === config.steps)
    .map((head) => {
      const { seed, layer, bestOffset, diagonalMean, argmaxAgreement, effectiveOffsets, label } = head;
      const numbers = [diagonalMean, argmaxAgreement, effectiveOffsets].map((value) => value.toFixed(2));
      return [seed, layer, head.head, bestOffset, ...numbers, label];
    });
  const names = ['seed', 'layer', 'head', 'best offset', 'diagonal mean', 'agreement', 'effective offsets', 'label'];
  return htmlTable(names, rows);
}

function replacementCurves({ replacements }: StudyResult) {
  const counts = [...new Set(replacements.map(({ count }) => count))].sort((a, b) => a - b);
  const kinds = [...new Set(replacements.map(({ kind }) => kind))];
  const curve = (kind: string) =>
    counts.map((count) =>
      mean(replacements.filter((one) => one.kind === kind && one.count === count).map(({ lossAfter }) => lossAfter)),
    );
  const before = mean(replacements.map(({ lossBefore }) => lossBefore));
  return { x: counts, names: ['before', ...kinds], curves: [counts.map(() => before), ...kinds.map(curve)] };
}

function headCurves({ heads }: StudyResult) {
  const first = heads.filter(({ seed }) => seed === 1);
  const steps = [...new Set(first.map(({ step }) => step))].sort((a, b) => a - b);
  const names = [...new Set(first.map(({ layer, head }) => `layer ${layer}, head ${head}`))];
  const curves = names.map((name) =>
    steps.map((step) => first.find((one) => one.step === step && `layer ${one.layer}, head ${one.head}` === name)!.diagonalMean),
  );
  return { x: steps, names, curves };
}

function convolutionPoints(result: StudyResult) {
  const models = [...byModel(result, 'convolution')]
    .map(([name, runs]) => ({ name, weights: runs[0]!.weights, loss: mean(runs.map(({ loss }) => loss)) }))
    .sort((a, b) => a.weights - b.weights);
  const isFull = ({ name }: { name: string }) => name.endsWith('full');
  const values = (wanted: boolean) => models.map((model) => (isFull(model) === wanted ? model.loss : null));
  return {
    x: models.map(({ weights }) => weights),
    names: ['full, by terms', '8 terms in factors'],
    curves: [values(true), values(false)],
  };
}

const script = `
const data = JSON.parse(document.getElementById('data').textContent);
const colors = ['#8c959f', '#0969da', '#bf8700', '#cf222e', '#1a7f37', '#8250df', '#bc4c00', '#0550ae', '#953800', '#116329', '#a40e26', '#6639ba'];
function chart(id, { x, names, curves }, xLabel, yLabel, isPoints) {
  const box = document.getElementById(id);
  const series = names.map((label, i) => ({ label, stroke: colors[i % colors.length], width: isPoints ? 0 : 2, spanGaps: !isPoints, points: { show: true, size: 7, fill: colors[i % colors.length] } }));
  const plot = new uPlot({ width: box.clientWidth, height: 340, scales: { x: { time: false } }, axes: [{ label: xLabel }, { label: yLabel }], series: [{ label: xLabel }, ...series] }, [x, ...curves], box);
  addEventListener('resize', () => plot.setSize({ width: box.clientWidth, height: 340 }));
}
chart('heads', data.heads, 'step', 'diagonal mean', false);
chart('replacements', data.replacements, 'heads replaced', 'loss, nats per byte', false);
chart('convolutions', data.convolutions, 'weights of the model', 'loss, nats per byte', true);
`;
