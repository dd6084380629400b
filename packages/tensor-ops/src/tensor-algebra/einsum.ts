import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { floatShape } from './checked-axes';
import { pathOf, productLabels, reducedOperands } from './contraction-path';
import { einsumPairOperator } from './pair-operator';
import { parseEquation } from './parse-equation';
import { einsumReduceOperator, shapeText } from './reduce-operator';
import { remembered } from './remembered';

/** What is done for one equation and the shapes of its operands. */
interface EinsumPlan {
  /** Per operand the labels it has, and those it keeps when diagonals are taken and labels that no other term has are summed. */
  readonly operands: readonly { readonly labels: string; readonly kept: string; readonly reduces: boolean }[];
  readonly steps: readonly { readonly places: readonly number[]; readonly labels: string }[];
  readonly output: string;
}

const plans = /* @__PURE__ */ new Map<string, EinsumPlan>();

function planOf(functionName: string, equation: string, shapes: readonly (readonly number[])[]): EinsumPlan {
  const parsed = parseEquation(functionName, equation, shapes);
  const { output, sizes } = parsed;
  const reduced = reducedOperands(parsed, shapes);
  const operands = parsed.operands.map((labels, i) => {
    // An axis of size 1 needs no sum: the contraction leaves it out.
    const reduces = [...labels].some((label, axis) => {
      return labels.indexOf(label) !== axis || (!reduced[i]!.includes(label) && shapes[i]![axis] !== 1);
    });
    return { labels, kept: reduced[i]!, reduces };
  });
  if (operands.length === 1) return { operands, steps: [], output };
  const left = [...reduced];
  const { path } = pathOf({ operands: reduced, output, sizes });
  const steps = path.map((places) => {
    const [b, a] = [left.splice(places[1]!, 1)[0]!, left.splice(places[0]!, 1)[0]!];
    // Shared labels first, as a product of matrices leaves them.
    const labels = left.length === 0 ? output : productLabels(sharedFirst(a, b), b, left, output);
    left.push(labels);
    return { places, labels };
  });
  return { operands, steps, output };
}

const sharedFirst = (a: string, b: string) =>
  [...a].filter((label) => b.includes(label)).join('') + [...a].filter((label) => !b.includes(label)).join('');

/** `einsum` on behalf of another function: errors begin with its name and call operands by their names there. */
export function einsumFor(functionName: string, equation: string, given: Readonly<Record<string, Tensor>>): Tensor {
  for (const [name, value] of Object.entries(given)) floatShape(functionName, name, value);
  const tensors = Object.values(given);
  const shapes = tensors.map((tensor) => tensor.shape);
  const key = [functionName, equation, ...shapes.map((shape) => shape.join())].join(';');
  const { operands, steps, output } = remembered(plans, key, () => planOf(functionName, equation, shapes));
  return tidy(() => {
    const left = operands.map(({ labels, kept, reduces }, i) => {
      const x = tensors[i]!;
      if (operands.length === 1) return { labels: output, tensor: reduce(x, labels, output) };
      return reduces ? { labels: kept, tensor: reduce(x, labels, kept) } : { labels, tensor: x };
    });
    for (const { places, labels } of steps) {
      const [b, a] = [left.splice(places[1]!, 1)[0]!, left.splice(places[0]!, 1)[0]!];
      const attributes = { aLabels: a.labels, bLabels: b.labels, yLabels: labels };
      left.push({ labels, tensor: einsumPairOperator.run({ a: a.tensor, b: b.tensor }, attributes).y });
    }
    return left[0]!.tensor;
  });
}

function reduce(x: Tensor, xLabels: string, yLabels: string): Tensor {
  return einsumReduceOperator.run({ x }, { xLabels, yLabels, xShape: shapeText(x.shape) }).y;
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
  return einsumFor('einsum', equation, Object.fromEntries(operands.map((operand, i) => [`operand ${i}`, operand])));
}
