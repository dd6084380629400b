import { type Array64, checkOptions, OptionError } from '@mixfold/tensor-ops';
import { attentionPicture, colourScale, type Picture } from './attention-picture';
import { escapeHtml, shown } from './html-text';
import { lineChart, type Series } from './line-chart';
import type { TokenFigures } from './token-figures';
import type { LayerTrace } from './trace-layers';
import { traceStyle } from './trace-style';

/** How a trace is drawn. */
export interface TracePageOptions {
  /** Default `'Attention by layer'`. */
  readonly title?: string | undefined;
  /** What the reader should know: the model, the data, the step of training. */
  readonly note?: string | undefined;
  /** Which sample of the batch the maps are of. Default 0. */
  readonly sample?: number | undefined;
  /**
   * `[height, width]` in patches, for images: beside each map, what the first token (the class token) attends to among the last `height * width`; without a token before the
   * patches, what all attend to on average.
   */
  readonly grid?: readonly [height: number, width: number] | undefined;
}

/**
 * A trace as a web page: the figures of all layers as charts and a table, and every attention map as a picture.
 *
 * @param trace - what `traceLayers` gives. @param options - `title`, `note`, `sample`, `grid`.
 * @returns HTML in one piece: it loads nothing, runs no script, and shows what the user named as text.
 * @throws OptionError for an unknown or bad option, a sample that is not there, or a grid of more patches than tokens.
 * @remarks Maps of more than 128 tokens are averaged to 128 pixels a side; a picture takes up to 16 kB.
 * @example
 * await writeFile('trace.html', tracePage(await traceLayers({ model, input }), { title: 'CRATE-T', grid: [14, 14] }));
 */
export function tracePage(trace: readonly LayerTrace[], options: TracePageOptions = {}): string {
  checkOptions('tracePage', options, { title: 'string', note: 'string', sample: 'nonNegativeInteger', grid: 'unchecked' });
  const { title = 'Attention by layer', note, sample = 0, grid } = options;
  for (const layer of trace) checkChoice(layer, sample, grid);
  const name = escapeHtml(title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
<style>${traceStyle}</style>
</head>
<body>
<h1>${name}</h1>
${note === undefined ? '' : `<p>${escapeHtml(note)}</p>`}
<p class="note">${explanation(trace)}</p>
<div class="charts">
${charts(trace).join('\n')}
</div>
${table(trace)}
<h2>Attention maps</h2>
<p class="note">A row is a target, a column a source. Colour is the root of a weight over the largest of its picture, from 0 ${image(colourScale(), 'colours from no weight to the largest', 'scale')} to
the largest.${grid ? ` Beside each map: what ${prefixOf(trace, grid) > 0 ? 'the first token attends to' : 'tokens attend to on average'}, as a picture of ${grid[0]} by ${grid[1]} patches.` : ''}</p>
${trace.map((layer) => layerSection(layer, sample, grid)).join('\n')}
</body>
</html>
`;
}

function checkChoice({ name, maps }: LayerTrace, sample: number, grid: TracePageOptions['grid']): void {
  const [batch, , , count] = maps.shape as [number, number, number, number];
  if (sample >= batch) throw new OptionError(`tracePage: option sample is ${sample}, but '${name}' has ${batch} samples, from 0`);
  if (grid === undefined) return;
  if (!Array.isArray(grid) || grid.length !== 2 || !grid.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new OptionError(`tracePage: option grid must be two integers above 0, [height, width], got [${String(grid)}]`);
  }
  if (grid[0] * grid[1] > count) {
    throw new OptionError(`tracePage: option grid has ${grid[0] * grid[1]} patches, but '${name}' has ${count} tokens`);
  }
}

function explanation(trace: readonly LayerTrace[]): string {
  const proxy = trace.some(({ isProxy }) => isProxy)
    ? ' The signal-to-noise ratio is a <b>proxy</b>: no labels were given, so each token counts as signal of the subspace that holds most of its energy, and some of the ratio is there by construction; the control is the same for random subspaces.'
    : ' The signal-to-noise ratio is by the labels given.';
  return `Every layer is measured by its own subspaces, on the tokens that enter it and on those that leave it: a line joins the two, and lines of different layers are by
different subspaces.${proxy}`;
}

const blue = '#2f6fb3';
const orange = '#c2571a';
const grey = '#8a939c';

function charts(trace: readonly LayerTrace[]): string[] {
  const steps = (label: string, colour: string, figure: (figures: TokenFigures) => number | undefined): Series => ({
    label,
    colour,
    kind: 'steps',
    points: trace.flatMap(({ before, after }, i) => {
      const entering = [i, figure(before) ?? Number.NaN] as const;
      return [entering, after ? ([i + 1, figure(after) ?? Number.NaN] as const) : entering];
    }),
  });
  const byHead = (label: string, figure: (layer: LayerTrace) => number[]): Series[] => [
    {
      label: 'head',
      colour: grey,
      kind: 'dots',
      points: trace.flatMap((layer, i) => figure(layer).map((value) => [i, value] as const)),
    },
    { label, colour: blue, kind: 'line', points: trace.map((layer, i) => [i, mean(figure(layer))] as const) },
  ];
  const isProxy = trace.some((layer) => layer.isProxy);
  const ratio = isProxy ? 'Signal-to-noise ratio, proxy' : 'Signal-to-noise ratio';
  const controls = isProxy ? [steps('control', grey, (figures) => figures.signalToNoiseControl)] : [];
  const chart = (title: string, xLabel: string, series: Series[]) =>
    `<figure>${lineChart({ title, xLabel, end: trace.length, series })}</figure>`;
  return [
    chart('Coding rate by the subspaces, nats', 'layers passed', [steps('R^c', blue, (figures) => figures.codingRateGiven)]),
    chart('Rate reduction, R − R^c, nats', 'layers passed', [steps('R − R^c', blue, (figures) => figures.rateReduction)]),
    chart(ratio, 'layers passed', [...controls, steps('tokens', blue, (figures) => figures.signalToNoise)]),
    chart('Effective rank of the tokens', 'layers passed', [steps('tokens', orange, (figures) => figures.effectiveRank)]),
    chart(
      'Weight of a token on itself',
      'layer',
      byHead('mean', (layer) => layer.selfWeight),
    ),
    chart(
      'Entropy of a token\u2019s weights, nats',
      'layer',
      byHead('mean', (layer) => layer.attentionEntropy),
    ),
  ];
}

/** Of the heads that have a value. */
function mean(values: readonly number[]): number {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

function table(trace: readonly LayerTrace[]): string {
  const columns: [string, (layer: LayerTrace) => string][] = [
    ['layer', ({ name }) => escapeHtml(name)],
    ['R', beforeAfter((figures) => figures.codingRate)],
    ['R<sup>c</sup>', beforeAfter((figures) => figures.codingRateGiven)],
    ['R − R<sup>c</sup>', beforeAfter((figures) => figures.rateReduction)],
    [trace.some(({ isProxy }) => isProxy) ? 'SNR (proxy)' : 'SNR', beforeAfter((figures) => figures.signalToNoise)],
    ['effective rank', beforeAfter((figures) => figures.effectiveRank)],
    ['zeros', beforeAfter((figures) => figures.sparsity)],
    ['self-weight', ({ selfWeight }) => shown(mean(selfWeight))],
    ['entropy', ({ attentionEntropy }) => shown(mean(attentionEntropy))],
  ];
  const head = columns.map(([name]) => `<th scope="col">${name}</th>`).join('');
  const rows = trace.map((layer) => `<tr>${columns.map(([, cell]) => `<td>${cell(layer)}</td>`).join('')}</tr>`);
  return `<div class="wide"><table><caption>Before and after each layer; rates in nats</caption><thead><tr>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>`;
}

const beforeAfter =
  (figure: (figures: TokenFigures) => number) =>
  ({ before, after }: LayerTrace): string =>
    after ? `${shown(figure(before))} → ${shown(figure(after))}` : shown(figure(before));

function layerSection(layer: LayerTrace, sample: number, grid: TracePageOptions['grid']): string {
  const [, heads, count] = layer.maps.shape as [number, number, number];
  const figures = Array.from({ length: heads }, (_, head) => {
    const map = layer.maps.data.subarray((sample * heads + head) * count * count, (sample * heads + head + 1) * count * count);
    const alt = `attention map of head ${head} of ${escapeHtml(layer.name)}`;
    const patches = grid ? image(patchPicture(map, count, grid), `${alt}, as patches`, 'patches') : '';
    const caption = `head ${head}, self ${shown(layer.selfWeight[head])}, entropy ${shown(layer.attentionEntropy[head])}`;
    return `<figure>${image(attentionPicture(map, count, count), alt, 'map')}${patches}<figcaption>${caption}</figcaption></figure>`;
  });
  return `<section><h3>${escapeHtml(layer.name)}</h3><div class="maps">${figures.join('\n')}</div></section>`;
}

/** What the class token, or tokens on average, attend to among the patches. */
function patchPicture(map: Float64Array, count: number, [height, width]: readonly [number, number]): Picture {
  const prefix = count - height * width;
  const targets = prefix > 0 ? 1 : count;
  const weights = new Float64Array(height * width);
  for (let target = 0; target < targets; target++) {
    for (let i = 0; i < weights.length; i++) weights[i]! += map[target * count + prefix + i]! / targets;
  }
  return attentionPicture(weights, height, width);
}

/** Tokens before the patches. */
const prefixOf = (trace: readonly { maps: Array64 }[], [height, width]: readonly [number, number]): number =>
  (trace[0]?.maps.shape[3] ?? 0) - height * width;

const image = ({ url, width, height }: Picture, alt: string, kind: string): string =>
  `<img class="${kind}" src="${url}" width="${width}" height="${height}" alt="${alt}">`;
