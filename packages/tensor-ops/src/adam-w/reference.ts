/** What one step of the reference is given beside parameters, gradients and moments. */
export interface ReferenceStep {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly decays: readonly boolean[];
  readonly gradientScale: number;
}

export interface ReferenceState {
  readonly updates: number;
  readonly parameters: readonly Float64Array[];
  readonly mean: readonly Float64Array[];
  readonly square: readonly Float64Array[];
}

/** One step as algorithm 2 of Loshchilov and Hutter writes it, with the rate on both terms as PyTorch has it. */
export function adamWReference(
  state: ReferenceState,
  gradients: readonly ArrayLike<number>[],
  step: ReferenceStep,
): ReferenceState {
  const { rate, beta1, beta2, epsilon, weightDecay, decays, gradientScale } = step;
  const updates = state.updates + 1;
  const next = {
    updates,
    parameters: state.parameters.map((x) => x.slice()),
    mean: state.mean.map((x) => x.slice()),
    square: state.square.map((x) => x.slice()),
  };
  state.parameters.forEach((parameter, k) => {
    for (let i = 0; i < parameter.length; i++) {
      const g = gradients[k]![i]! * gradientScale;
      const m = beta1 * state.mean[k]![i]! + (1 - beta1) * g;
      const v = beta2 * state.square[k]![i]! + (1 - beta2) * g * g;
      const decayed = decays[k] ? parameter[i]! * (1 - rate * weightDecay) : parameter[i]!;
      next.mean[k]![i] = m;
      next.square[k]![i] = v;
      next.parameters[k]![i] =
        decayed - (rate * (m / (1 - beta1 ** updates))) / (Math.sqrt(v / (1 - beta2 ** updates)) + epsilon);
    }
  });
  return next;
}
