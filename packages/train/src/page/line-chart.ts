import { escapeHtml } from './html-page';

/** A line of a chart, over the x of all; a value that is not above 0 interrupts it. */
export interface ChartLine {
  readonly name: string;
  readonly color: string;
  readonly values: readonly number[];
  readonly isDashed?: boolean;
  /** Least and largest values, drawn as a band behind it. */
  readonly low?: readonly number[];
  readonly high?: readonly number[];
}

/** A chart with a logarithmic upward axis, on which geometric growth is straight. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Whole numbers, ascending. */
  readonly x: readonly number[];
  readonly lines: readonly ChartLine[];
  /** A vertical line, with what it means. */
  readonly mark?: { readonly x: number; readonly label: string } | undefined;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [860, 436, 62, 16, 44, 64];
const ROW = 18;

/** The chart as an SVG element that stands alone. */
export function lineChart({ title, xLabel, yLabel, x, lines, mark }: LineChart): string {
  const values = lines.flatMap(({ values: own, low = [], high = [] }) => [...own, ...low, ...high]).filter(isDrawable);
  const [least, largest] = values.length === 0 ? [1, 1] : [Math.min(...values), Math.max(...values)];
  const margin = least === largest ? 2 : 1.08;
  const [bottom, top] = [least / margin, largest * margin];
  const [first, last] = [x[0] ?? 0, Math.max(x.at(-1) ?? 1, (x[0] ?? 0) + 1)];
  const height = HEIGHT + ROW * lines.length;
  const across = (at: number) => round(LEFT + ((at - first) / (last - first)) * (WIDTH - LEFT - RIGHT));
  const up = (value: number) => round(TOP + (Math.log(top / value) / Math.log(top / bottom)) * (HEIGHT - TOP - BOTTOM));

  const parts = [`<title>${escapeHtml(title)}</title>`, `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`];
  parts.push(text(LEFT, 22, title, 'start', ' font-weight="600"'));
  for (const value of ticks(bottom, top)) {
    parts.push(`<path d="M${LEFT} ${up(value)}H${WIDTH - RIGHT}" stroke="#d8dee4"/>`);
    parts.push(text(LEFT - 8, up(value) + 4, String(value), 'end'));
  }
  const every = Math.ceil((last - first) / 16);
  for (let at = first; at <= last; at += every) parts.push(text(across(at), HEIGHT - BOTTOM + 18, String(at), 'middle'));
  parts.push(`<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="#57606a"/>`);
  parts.push(text(WIDTH / 2, HEIGHT - BOTTOM + 38, xLabel, 'middle'));
  parts.push(
    text(16, (TOP + HEIGHT - BOTTOM) / 2, yLabel, 'middle', ` transform="rotate(-90 16 ${(TOP + HEIGHT - BOTTOM) / 2})"`),
  );

  for (const { low, high, color } of lines) {
    if (!low || !high || ![...low, ...high].every(isDrawable)) continue;
    const edge = [...high.map((value, i) => [x[i]!, value]), ...low.map((value, i) => [x[i]!, value]).reverse()];
    const points = edge.map(([at, value]) => `${across(at!)},${up(value!)}`).join(' ');
    parts.push(`<polygon points="${points}" fill="${color}" fill-opacity="0.15"/>`);
  }
  if (mark && mark.x >= first && mark.x <= last) {
    parts.push(`<path d="M${across(mark.x)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#57606a" stroke-dasharray="2 4"/>`);
    const isLate = mark.x > (first + last) / 2;
    parts.push(text(across(mark.x) + (isLate ? -5 : 5), TOP + 12, mark.label, isLate ? 'end' : 'start'));
  }
  lines.forEach(({ name, color, values: own, isDashed }, i) => {
    const stroke = `stroke="${color}" stroke-width="2"${isDashed ? ' stroke-dasharray="6 5"' : ''}`;
    parts.push(`<path d="${pathOf(own, (at) => across(x[at]!), up)}" fill="none" ${stroke}/>`);
    const y = HEIGHT + ROW * i;
    parts.push(`<path d="M${LEFT} ${y - 4}h28" ${stroke}/>`, text(LEFT + 36, y, name, 'start'));
  });
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  const style = 'style="max-width:100%;height:auto" font-family="system-ui, sans-serif" font-size="13" fill="#1b1f24"';
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" ${size} ${style}>${parts.join('\n')}</svg>`;
}

const isDrawable = (value: number) => value > 0 && Number.isFinite(value);

const round = (value: number) => Math.round(value * 10) / 10;

const text = (x: number, y: number, content: string, anchor: string, more = '') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escapeHtml(content)}</text>`;

function pathOf(values: readonly number[], across: (at: number) => number, up: (value: number) => number): string {
  let isDown = false;
  return values
    .map((value, at) => {
      if (!isDrawable(value)) {
        isDown = false;
        return '';
      }
      const command = isDown ? 'L' : 'M';
      isDown = true;
      return `${command}${across(at)} ${up(value)}`;
    })
    .join('');
}

/** 1, 2 and 5 times powers of ten between two numbers; whole powers alone where those would be too many. */
function ticks(bottom: number, top: number): number[] {
  const found: number[] = [];
  const [from, to] = [Math.floor(Math.log10(bottom)), Math.ceil(Math.log10(top))];
  for (let power = from; power <= to; power++) {
    for (const digit of to - from > 6 ? [1] : [1, 2, 5]) found.push(Number(`${digit}e${power}`));
  }
  return found.filter((value) => value >= bottom && value <= top);
}
