/** Where the two channels of a pair stand: side by side, or half a head apart. */
export type RotaryPairing = 'adjacent' | 'halves';

export const rotaryPairings = ['adjacent', 'halves'] as const;

/** A type alias, for an interface is no record of attributes. */
export type RotaryAttributes = { readonly pairing: RotaryPairing };

/** The table made last: every layer of a model asks for the same one. */
let latest: { key: string; table: Float32Array } | undefined;

/**
 * Cosines, then sines, of every pair at every time, `[time, headDim]`. Angles reach thousands of turns, of which float32 would keep a few digits,
 * so they are made in float64: each time from the one before by adding the angle of a step.
 */
export function rotationTable(time: number, headDim: number, base: number, offset: number): Float32Array {
  const key = [time, headDim, base, offset].join();
  if (latest?.key === key) return latest.table;
  const table = new Float32Array(time * headDim);
  const half = Math.floor(headDim / 2);
  for (let pair = 0; pair < half; pair++) {
    const angle = base ** ((-2 * pair) / headDim);
    const [stepCosine, stepSine] = [Math.cos(angle), Math.sin(angle)];
    let [cosine, sine] = [Math.cos(offset * angle), Math.sin(offset * angle)];
    for (let t = 0; t < time; t++) {
      table[t * headDim + pair] = cosine;
      table[t * headDim + half + pair] = sine;
      [cosine, sine] = [cosine * stepCosine - sine * stepSine, sine * stepCosine + cosine * stepSine];
    }
  }
  latest = { key, table };
  return table;
}
