import { escapeHtml, shown } from './html-text';

/** Points of one thing over the layers. */
export interface Series {
  readonly label: string;
  readonly colour: string;
  /** `'line'` joins all points; `'steps'` joins them two by two, each pair one layer's before and after; `'dots'` joins none. */
  readonly kind: 'line' | 'steps' | 'dots';
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a chart shows. */
export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  /** How far x goes. */
  readonly end: number;
  readonly series: readonly Series[];
}

const [WIDTH, HEIGHT] = [400, 230];
const plot = { left: 52, right: 392, top: 34, bottom: 188 };

/** A chart as SVG. Points that are not finite are left out. */
export function lineChart({ title, xLabel, end, series }: Chart): string {
  const given = series.map((one) => ({ ...one, points: one.points.filter((point) => point.every(Number.isFinite)) }));
  const ticks = ticksOf(given.flatMap(({ points }) => points.map(([, y]) => y)));
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const x = (value: number) => round(plot.left + ((plot.right - plot.left) * value) / Math.max(1, end));
  const y = (value: number) => round(plot.bottom - ((plot.bottom - plot.top) * (value - low)) / (high - low));
  const grid = ticks.map((tick) => {
    return `<path class="grid" d="M${plot.left} ${y(tick)}H${plot.right}"/><text x="${plot.left - 6}" y="${y(tick) + 4}" text-anchor="end">${shown(tick)}</text>`;
  });
  const step = Math.max(1, Math.ceil(end / 8));
  const numbers = Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => {
    return `<text x="${x(i * step)}" y="${plot.bottom + 16}" text-anchor="middle">${i * step}</text>`;
  });
  const marks = given.map(({ kind, colour, label, points }) => {
    const at = points.map((point) => [x(point[0]), y(point[1])] as const);
    const path = at.map(([px, py], i) => `${i === 0 || (kind === 'steps' && i % 2 === 0) ? 'M' : 'L'}${px} ${py}`).join('');
    const dots = at.map(([px, py], i) => {
      return `<circle cx="${px}" cy="${py}" r="${kind === 'dots' ? 2 : 3}" fill="${colour}"><title>${escapeHtml(label)}: ${shown(points[i]![1])}</title></circle>`;
    });
    return (kind === 'dots' ? '' : `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`) + dots.join('');
  });
  let from = plot.left;
  const legend = given.map(({ label, colour }) => {
    const entry = `<circle cx="${from + 4}" cy="${HEIGHT - 8}" r="4" fill="${colour}"/><text x="${from + 12}" y="${HEIGHT - 4}">${escapeHtml(label)}</text>`;
    from += 26 + 6.2 * label.length;
    return entry;
  });
  const middle = (plot.left + plot.right) / 2;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}"><text class="title" x="${plot.left}" y="18">${escapeHtml(title)}</text>${grid.join('')}${numbers.join('')}<text x="${middle}" y="${plot.bottom + 30}" text-anchor="middle">${escapeHtml(xLabel)}</text>${marks.join('')}${legend.join('')}</svg>`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Three to six round numbers around all values; around 0 and 1 if there are none. */
function ticksOf(values: readonly number[]): number[] {
  const [least, most] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  const span = most > least ? most - least : Math.abs(most) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const [first, last] = [Math.floor(least / step), Math.ceil(most / step)];
  const count = Math.max(1, last - first);
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}
