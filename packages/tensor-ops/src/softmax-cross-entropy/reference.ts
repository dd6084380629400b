/** Mean cross-entropy of rows of logits by its definition, in float64; `targets` has a probability for every class. */
export function crossEntropyReference(logits: ArrayLike<number>, targets: ArrayLike<number>, classes: number): number {
  let loss = 0;
  for (let row = 0; row < logits.length; row += classes) {
    const own = Array.from({ length: classes }, (_, c) => logits[row + c]!);
    const largest = Math.max(...own);
    const logSum = Math.log(own.reduce((sum, x) => sum + Math.exp(x - largest), 0));
    for (let c = 0; c < classes; c++) loss += targets[row + c]! * (largest - own[c]! + logSum);
  }
  return (loss * classes) / logits.length;
}

/** Its gradient with respect to the logits. */
export function crossEntropyGradientReference(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  classes: number,
  dLoss = 1,
): Float64Array {
  const gradient = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    const own = Array.from({ length: classes }, (_, c) => logits[row + c]!);
    const largest = Math.max(...own);
    const weights = own.map((x) => Math.exp(x - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const mass = own.reduce((sum, _, c) => sum + targets[row + c]!, 0);
    for (let c = 0; c < classes; c++) {
      gradient[row + c] = (((weights[c]! / total) * mass - targets[row + c]!) * dLoss * classes) / logits.length;
    }
  }
  return gradient;
}

/** The probabilities that labels stand for. */
export function oneHotReference(labels: ArrayLike<number>, classes: number): Float64Array {
  const targets = new Float64Array(labels.length * classes);
  for (let row = 0; row < labels.length; row++) targets[row * classes + labels[row]!] = 1;
  return targets;
}
