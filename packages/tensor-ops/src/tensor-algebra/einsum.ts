import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { floatShape } from './checked-axes';
import { pathOf, productLabels, reducedOperands } from './contraction-path';
import type { PairLabels } from './pair-layout';
import { einsumPairOperator } from './pair-operator';
import { parseEquation } from './parse-equation';
import { einsumReduceOperator, shapeText } from './reduce-operator';
import { type Memory, remembered } from './remembered';

/** What is done for one equation and the shapes of its operands. */
interface EinsumPlan {
  /** Per operand the labels it keeps when diagonals are taken and labels that no other term has are summed; what does that, if anything does. */
  readonly operands: readonly { readonly labels: string; readonly reduction: Reduction | null }[];
  /** Contractions of two operands: their places among those that are left. */
  readonly steps: readonly { readonly places: readonly number[]; readonly labels: PairLabels }[];
}

type Reduction = { readonly xLabels: string; readonly yLabels: string; readonly xShape: string };

const plans: Memory<EinsumPlan> = /* @__PURE__ */ new Map();

function planOf(functionName: string, equation: string, shapes: readonly (readonly number[])[]): EinsumPlan {
  const parsed = parseEquation(functionName, equation, shapes);
  const { output, sizes } = parsed;
  const reduced = parsed.operands.length === 1 ? [output] : reducedOperands(parsed, shapes);
  const operands = parsed.operands.map((xLabels, i) => {
    const [yLabels, shape] = [reduced[i]!, shapes[i]!];
    // An axis of size 1 needs no sum: the contraction leaves it out.
    const reduces = [...xLabels].some((label, axis) => {
      return xLabels.indexOf(label) !== axis || (!yLabels.includes(label) && shape[axis] !== 1);
    });
    if (!reduces && parsed.operands.length > 1) return { labels: xLabels, reduction: null };
    return { labels: yLabels, reduction: { xLabels, yLabels, xShape: shapeText(shape) } };
  });
  if (operands.length === 1) return { operands, steps: [] };
  const left = operands.map(({ labels }) => labels);
  const { path } = pathOf({ operands: reduced, output, sizes });
  const steps = path.map((places) => {
    const [bLabels, aLabels] = [left.splice(places[1]!, 1)[0]!, left.splice(places[0]!, 1)[0]!];
    // Shared labels first, as a product of matrices leaves them.
    const yLabels = left.length === 0 ? output : productLabels(sharedFirst(aLabels, bLabels), bLabels, left, output);
    left.push(yLabels);
    return { places, labels: { aLabels, bLabels, yLabels } };
  });
  return { operands, steps };
}

const sharedFirst = (a: string, b: string) =>
  [...a].filter((label) => b.includes(label)).join('') + [...a].filter((label) => !b.includes(label)).join('');

/** `einsum` on behalf of another function: errors begin with its name and call operands by their names there. */
export function einsumFor(functionName: string, equation: string, given: Readonly<Record<string, Tensor>>): Tensor {
  const shapes = Object.entries(given).map(([name, value]) => floatShape(functionName, name, value));
  return contractAll(functionName, equation, Object.values(given), shapes);
}

function contractAll(
  functionName: string,
  equation: string,
  tensors: readonly Tensor[],
  shapes: readonly (readonly number[])[],
): Tensor {
  const { operands, steps } = remembered(plans, equation, shapes, () => planOf(functionName, equation, shapes));
  const isPair = operands.length === 2 && operands[0]!.reduction === null && operands[1]!.reduction === null;
  // One product, and nothing to dispose after it.
  if (isPair) return einsumPairOperator.run({ a: tensors[0]!, b: tensors[1]! }, steps[0]!.labels).y;
  return tidy(() => {
    const left = tensors.map((x, i) => {
      const { reduction } = operands[i]!;
      return reduction === null ? x : einsumReduceOperator.run({ x }, reduction).y;
    });
    for (const { places, labels } of steps) {
      const [b, a] = [left.splice(places[1]!, 1)[0]!, left.splice(places[0]!, 1)[0]!];
      left.push(einsumPairOperator.run({ a, b }, labels).y);
    }
    return left[0]!;
  });
}

/**
 * Sums products of tensors over the labels that the output lacks: matrix products, traces, transposes and all that lies between.
 *
 * $$ Y_{o} = \sum_{l \notin o} \prod_i X^{(i)}_{l_i} $$
 *
 * The grammar is NumPy's: a letter per axis, a comma between operands, `...` for any number of leading axes, an output behind `->`; without one the
 * labels that stand once, in alphabetical order, behind the axes of the ellipsis. A label that stands twice in an operand takes its diagonal, an
 * axis of size 1 goes with any size, and an ellipsis that the output leaves out is summed.
 *
 * @param equation - such as `'bij,bjk->bik'`; spaces are ignored.
 * @param operands - float32, one per term of the equation.
 * @returns A new tensor of the shape that the output's labels have; the caller disposes it.
 * @throws ShapeError naming the position in the equation or the operand and axis that do not fit; DTypeError for an operand that is not float32.
 * @remarks Two operands at a time, in the order of `contractionPath`; each step is one product of matrices, whose operands are moved in memory only if
 *   their labels do not lie in groups, or one product by broadcasting if nothing is contracted. Differentiable in every operand.
 * @see numpy.einsum, https://numpy.org/doc/stable/reference/generated/numpy.einsum.html
 * @example
 * const trace = einsum('ii', matrix);
 * const scores = einsum('bhqd,bhkd->bhqk', query, key);
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  const shapes = operands.map((operand, i) => floatShape('einsum', `operand ${i}`, operand));
  return contractAll('einsum', equation, operands, shapes);
}
