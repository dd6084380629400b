import type { DenoisingOperator } from '@mixfold/subspace-attention/theory';
import { escapeHtml, htmlPage, htmlTable } from '../../page/html-page';
import { type ChartLine, lineChart } from '../../page/line-chart';
import { operators, type StudyPrediction, type StudyResult, type StudyRun } from './run-study';

const looks: Record<DenoisingOperator, { name: string; color: string }> = {
  theorem: { name: 'operator of the theorem: tau where softmax is above tau, else 0', color: '#0969da' },
  practical: { name: 'practical layer: layer norm, softmax of scores over sqrt(headDim)', color: '#1a7f37' },
  softmax: { name: 'plain softmax, scores not scaled', color: '#cf222e' },
};

/** Relative difference of ratios up to which float32 and float64 agree. */
const AGREES = 1e-4;

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** The charts of a study by the names of their files, one per noise. */
export function studyCharts(result: StudyResult): Record<string, string> {
  return Object.fromEntries(result.predictions.map((prediction) => [`snr-${prediction.noise}.svg`, chartOf(result, prediction)]));
}

/** The page of a study: charts and tables of the figures as they came out. */
export function studyPage(result: StudyResult): string {
  const { config, predictions } = result;
  const { tokens, dim, headDim, heads, stepSize, tau, layers, seeds } = config;
  const charts = Object.values(studyCharts(result));
  const sections = predictions.map((prediction, i) => {
    const runs = result.runs.filter(({ noise }) => noise === prediction.noise);
    const outside = [...new Set(runs.filter(({ operator }) => operator === 'theorem').flatMap((run) => run.outside))];
    return `<h2>Noise ${prediction.noise}</h2>
${charts[i]}
<p class="note">${escapeHtml(outside.length === 0 ? 'The theorem covers its operator in this run.' : `Outside the theorem: ${outside.join('; ')}.`)}</p>
${figures(runs, prediction)}`;
  });
  const body = `<p class="note">${tokens} tokens from ${heads} orthogonal subspaces of dimension ${headDim} in ${dim} dimensions, with noise in the other subspaces. ${layers} layers
with step size ${stepSize}; tau ${tau}, which the theorem wants in (0.5, ${result.tauUpperBound}]. Seeds ${seeds.join(', ')}; lines are means over seeds and clusters, bands
reach from the least to the largest mean of a seed. All in float64; beside each run <code>mssa</code> made the same layers in float32, and the tables say by how much its ratios
differ, relative to these. Where they part by more than 1e-4, they say from which layer.</p>
<p class="note">The theorem says that every layer multiplies the signal-to-noise ratio by 1 + ${stepSize} tau = ${1 + stepSize * tau}. It is about the operator with the threshold,
and no depth is named in it; the dotted line is where the amplified logits of a wrong head, of deviation noise sqrt(headDim) (1 + stepSize tau)^layer, reach 1.5: beyond about
2 one of them passes the threshold. The growth of the practical layer is its own, and nothing here says that it is geometric.</p>
${sections.join('\n')}`;
  return htmlPage({ title: 'Signal against noise in attention-only layers', body });
}

function chartOf({ config, runs }: StudyResult, { noise, snr, safeDepth }: StudyPrediction): string {
  const x = Array.from({ length: config.layers + 1 }, (_, layer) => layer);
  const predicted: ChartLine = {
    name: 'predicted: (1 + stepSize tau)^layer / (noise sqrt(heads - 1))',
    color: '#57606a',
    values: snr,
    isDashed: true,
  };
  const measured = operators.map((operator): ChartLine => {
    const own = runs.filter((run) => run.noise === noise && run.operator === operator).map((run) => run.snr.map(mean));
    const over = (join: (values: number[]) => number) => x.map((layer) => join(own.map((run) => run[layer]!)));
    const least = over((values) => Math.min(...values));
    const largest = over((values) => Math.max(...values));
    return { ...looks[operator], values: over(mean), low: least, high: largest };
  });
  return lineChart({
    title: `Signal-to-noise ratio by depth, noise ${noise}`,
    xLabel: 'layers',
    yLabel: 'signal-to-noise ratio',
    x,
    lines: [predicted, ...measured],
    mark: { x: safeDepth, label: `safe depth ${safeDepth}` },
  });
}

function figures(runs: readonly StudyRun[], { snr: predicted }: StudyPrediction): string {
  const rows = operators.map((operator) => {
    const own = runs.filter((run) => run.operator === operator);
    const curve = predicted.map((_, layer) => mean(own.map(({ snr }) => mean(snr[layer]!))));
    const best = curve.indexOf(Math.max(...curve));
    const ends = [curve[0]!, curve[best]!].map((value) => value.toFixed(2));
    const exact = own.map(({ exactLayers }) => exactLayers);
    return [operator, ends[0]!, `${ends[1]} after ${best}`, curve.at(-1)!.toFixed(2), range(exact), float32Words(own)];
  });
  const names = [
    'operator',
    'at the start',
    'largest',
    'at the end',
    'layers as predicted, to 1e-9',
    'float32 differs by at most',
  ];
  return htmlTable(names, [
    ...rows,
    ['predicted', predicted[0]!.toFixed(2), '', predicted.at(-1)!.toFixed(2), predicted.length - 1, ''],
  ]);
}

/** How far the operator in float32 went the same way. */
export function float32Words(runs: readonly Pick<StudyRun, 'float32Difference'>[]): string {
  const largest = runs[0]!.float32Difference.map((_, layer) => Math.max(...runs.map((run) => run.float32Difference[layer]!)));
  const failed = largest.findIndex((difference) => !(difference <= AGREES));
  const upTo = (count: number) => Math.max(...largest.slice(0, count)).toExponential(1);
  return failed <= 0 ? upTo(largest.length) : `${upTo(failed)} up to layer ${failed - 1}, then ${upTo(largest.length)}`;
}

function range(values: readonly number[]): string {
  const [least, largest] = [Math.min(...values), Math.max(...values)];
  return least === largest ? String(least) : `${least} to ${largest}`;
}
