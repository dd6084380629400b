import { pngUrl } from './png';

/** From no weight to the largest: white over blue to nearly black. */
const stops = [
  [250, 250, 252],
  [186, 212, 238],
  [94, 156, 211],
  [36, 94, 166],
  [10, 37, 84],
] as const;

/** A picture is at most this high and wide; larger maps are averaged. */
const MOST_PIXELS = 128;

const palette = Uint8Array.from({ length: 768 }, (_, i) => {
  const place = (Math.floor(i / 3) / 255) * (stops.length - 1);
  const from = Math.min(stops.length - 2, Math.floor(place));
  const [a, b] = [stops[from]![i % 3]!, stops[from + 1]![i % 3]!];
  return Math.round(a + (b - a) * (place - from));
});

/** A picture of weights. */
export interface Picture {
  readonly url: string;
  readonly width: number;
  readonly height: number;
}

/** Weights `[height, width]` as a picture: the root of a weight over the largest, so that small ones are seen beside large ones. */
export function attentionPicture(weights: Float64Array, height: number, width: number): Picture {
  const rows = Math.min(height, MOST_PIXELS);
  const columns = Math.min(width, MOST_PIXELS);
  const means = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    const [top, bottom] = [Math.floor((y * height) / rows), Math.floor(((y + 1) * height) / rows)];
    for (let x = 0; x < columns; x++) {
      const [left, right] = [Math.floor((x * width) / columns), Math.floor(((x + 1) * width) / columns)];
      let sum = 0;
      for (let i = top; i < bottom; i++) for (let j = left; j < right; j++) sum += weights[i * width + j]!;
      means[y * columns + x] = sum / ((bottom - top) * (right - left));
    }
  }
  const largest = means.reduce((most, weight) => Math.max(most, weight), 0);
  const pixels = Uint8Array.from(means, (weight) => (weight > 0 ? Math.round(255 * Math.sqrt(weight / largest)) : 0));
  return { url: pngUrl(pixels, columns, rows, palette), width: columns, height: rows };
}

/** The colours, from 0 to the largest weight. */
export const colourScale = (): Picture => ({
  url: pngUrl(
    Uint8Array.from({ length: 256 }, (_, i) => i),
    256,
    1,
    palette,
  ),
  width: 256,
  height: 1,
});
