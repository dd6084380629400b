/** The normal distribution below x, to float64: by its series near 0, by a continued fraction in the tails. */
export function normalBelow(x: number): number {
  const z = Math.abs(x);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  let below: number;
  if (z < 4) {
    let [sum, term] = [z, z];
    for (let n = 3; term > 1e-18 * sum; n += 2) sum += term *= (z * z) / n;
    below = 0.5 - density * sum;
  } else {
    let fraction = 0;
    for (let n = 200; n >= 1; n--) fraction = n / (z + fraction);
    below = density / (z + fraction);
  }
  return x < 0 ? below : 1 - below;
}

export function geluReference(x: number, approximate: 'none' | 'tanh'): number {
  if (approximate === 'none') return x * normalBelow(x);
  return (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

export function geluSlopeReference(x: number, approximate: 'none' | 'tanh'): number {
  if (approximate === 'none') return normalBelow(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  const tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
  return (1 + tanh) / 2 + (x / 2) * (1 - tanh * tanh) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
}
