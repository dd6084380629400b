import { show } from '../check-options';
import { ShapeError } from '../errors';
import { checkedShape } from './checked-axes';
import { distinct, type Equation, parseEquation, sizeOf } from './parse-equation';

/** The order in which operands are contracted, two at a time. */
export interface ContractionPath {
  /** Per step the places of two operands in the list of those that are left; both leave it, and their product is appended. One operand: `[[0]]`. */
  readonly path: readonly (readonly number[])[];
  /** Multiplications and additions of all steps; sums over labels of one operand alone come before them and are not counted. */
  readonly flops: number;
  /** Elements of the largest product, the result included. */
  readonly peakElements: number;
}

/** Up to this many operands every order is weighed; beyond, the cheapest next step is taken. */
const SEARCHED = 6;

/** Labels of the product of two operands: those that the output or another operand still needs. */
export function productLabels(a: string, b: string, others: readonly string[], output: string): string {
  const needed = output + others.join('');
  return [...distinct(a + b)].filter((label) => needed.includes(label)).join('');
}

/** Work of one step: a product of all labels, and a sum over those that vanish. */
function stepFlops(a: string, b: string, kept: string, sizes: Equation['sizes']): number {
  const all = distinct(a + b);
  return sizeOf(all, sizes) * (kept.length < all.length ? 2 : 1);
}

interface Plan {
  readonly flops: number;
  readonly peak: number;
  readonly steps: readonly (readonly [number, number])[];
}

/** Least flops, then least memory, over all trees: dynamic programming over sets of operands. Steps name sets by bits. */
function searchedPlan({ operands, output, sizes }: Equation): Plan {
  const everything = 2 ** operands.length - 1;
  const among = (set: number) => operands.filter((_, i) => set & (1 << i));
  const labels = Array.from({ length: everything + 1 }, (_, set) => {
    const inside = distinct(among(set).join(''));
    const needed = output + among(everything & ~set).join('');
    return [...inside].filter((label) => needed.includes(label)).join('');
  });
  const best: Plan[] = [];
  for (let set = 1; set <= everything; set++) {
    if ((set & (set - 1)) === 0) {
      best[set] = { flops: 0, peak: 0, steps: [] };
      continue;
    }
    for (let left = (set - 1) & set; left > (set & ~left); left = (left - 1) & set) {
      const right = set & ~left;
      const [a, b] = [best[left]!, best[right]!];
      const flops = a.flops + b.flops + stepFlops(labels[left]!, labels[right]!, labels[set]!, sizes);
      const peak = Math.max(a.peak, b.peak, sizeOf(labels[set]!, sizes));
      const known = best[set];
      if (known === undefined || flops < known.flops || (flops === known.flops && peak < known.peak)) {
        best[set] = { flops, peak, steps: [...a.steps, ...b.steps, [left, right]] };
      }
    }
  }
  return best[everything]!;
}

function searchedPath(equation: Equation): ContractionPath {
  const { flops, peak, steps } = searchedPlan(equation);
  const left = equation.operands.map((_, i) => 1 << i);
  const path = steps.map(([a, b]) => {
    const places = [left.indexOf(a), left.indexOf(b)].sort((p, q) => p - q);
    left.splice(places[1]!, 1);
    left.splice(places[0]!, 1);
    left.push(a | b);
    return places;
  });
  return { path, flops, peakElements: peak };
}

interface Step {
  readonly places: readonly number[];
  readonly labels: string;
  /** Elements of the product beyond those of its operands. */
  readonly growth: number;
  readonly flops: number;
}

/** Step by step the pair that comes before all others. */
function greedyPath({ operands, output, sizes }: Equation, isBefore: (step: Step, best: Step) => boolean): ContractionPath {
  const left = [...operands];
  const path: (readonly number[])[] = [];
  let [flops, peakElements] = [0, 0];
  while (left.length > 1) {
    let best: Step | undefined;
    for (let i = 0; i < left.length; i++) {
      for (let j = i + 1; j < left.length; j++) {
        const [a, b] = [left[i]!, left[j]!];
        const others = left.filter((_, place) => place !== i && place !== j);
        const labels = productLabels(a, b, others, output);
        const growth = sizeOf(labels, sizes) - sizeOf(a, sizes) - sizeOf(b, sizes);
        const step = { places: [i, j], labels, growth, flops: stepFlops(a, b, labels, sizes) };
        if (best === undefined || isBefore(step, best)) best = step;
      }
    }
    const { places, labels } = best!;
    left.splice(places[1]!, 1);
    left.splice(places[0]!, 1);
    left.push(labels);
    path.push(places);
    flops += best!.flops;
    peakElements = Math.max(peakElements, sizeOf(labels, sizes));
  }
  return { path, flops, peakElements };
}

/** The better of two greedy orders: memory first, or work first. Neither is better on all equations. */
function betterGreedyPath(equation: Equation): ContractionPath {
  const byMemory = greedyPath(equation, (a, b) => a.growth < b.growth || (a.growth === b.growth && a.flops < b.flops));
  const byWork = greedyPath(equation, (a, b) => a.flops < b.flops || (a.flops === b.flops && a.growth < b.growth));
  return byWork.flops < byMemory.flops ? byWork : byMemory;
}

/** The path of an equation of two operands or more, whose operands have distinct labels. */
export function pathOf(equation: Equation): ContractionPath {
  return equation.operands.length <= SEARCHED ? searchedPath(equation) : betterGreedyPath(equation);
}

/**
 * Each operand's labels once diagonals are taken, labels that nothing else needs are summed, and axes of size 1 that broadcast are dropped.
 */
export function reducedOperands({ operands, output, sizes }: Equation, shapes: readonly (readonly number[])[]): string[] {
  const broadcasts = (label: string, size: number | undefined) => size === 1 && sizes[label] !== 1;
  const own = operands.map((labels, i) =>
    distinct([...labels].filter((label, axis) => !broadcasts(label, shapes[i]![axis])).join('')),
  );
  return own.map((labels, i) => {
    const needed = output + own.filter((_, other) => other !== i).join('');
    return [...labels].filter((label) => needed.includes(label)).join('');
  });
}

/**
 * The order in which `einsum` contracts operands of given shapes: of least work up to six operands, greedy beyond.
 *
 * @param equation - As for `einsum`.
 * @param shapes - The shape of each operand.
 * @throws ShapeError if the equation does not fit the shapes.
 * @remarks O(3^n) for n <= 6 operands, O(n^3) beyond. Labels that stand in one operand alone are summed before the first step.
 * @see Smith and Gray 2018, opt_einsum, https://doi.org/10.21105/joss.00753
 * @example
 * contractionPath('ij,jk,kl->il', [[2, 1000], [1000, 3], [3, 2]]).path; // [[0, 1], [0, 1]]
 */
export function contractionPath(equation: string, shapes: readonly (readonly number[])[]): ContractionPath {
  if (!Array.isArray(shapes)) {
    throw new ShapeError(`contractionPath: shapes must be an array of shapes, one per operand, got ${show(shapes)}`);
  }
  for (const [i, shape] of shapes.entries()) checkedShape('contractionPath', shape, `shapes[${i}]`);
  const parsed = parseEquation('contractionPath', equation, shapes);
  const { operands, output, sizes } = parsed;
  if (operands.length === 1) {
    return { path: [[0]], flops: sizeOf(distinct(operands[0]!), sizes), peakElements: sizeOf(output, sizes) };
  }
  return pathOf({ ...parsed, operands: reducedOperands(parsed, shapes) });
}
