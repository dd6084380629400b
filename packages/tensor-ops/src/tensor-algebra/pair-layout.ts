import { ShapeError } from '../errors';
import { keepLabels } from './axis-labels';
import { sizeOf } from './parse-equation';
import { type Memory, remembered } from './remembered';

/** The labels of two operands and of their product. */
export interface PairLabels {
  readonly aLabels: string;
  readonly bLabels: string;
  readonly yLabels: string;
}

/** One operand as a stack of matrices. */
export interface MatrixLayout {
  /** The order its axes are brought to; its own order if it needs no transpose. */
  readonly labels: string;
  /** `[rows, columns]`, behind the size of the stack if there is one. */
  readonly shape: readonly number[];
  /** Whether the product takes each matrix transposed. */
  readonly transposed: boolean;
}

/** A contraction of two operands as a product of matrices. Axes of size 1 are left out of all label strings. */
export interface PairLayout {
  /** The labels of the axes of each operand that are longer than 1. */
  readonly own: readonly [a: string, b: string];
  readonly sizes: Readonly<Record<string, number>>;
  /** Null if the operands are multiplied element by element. */
  readonly product: {
    /** The operand whose rows are the rows of the product, then the other. */
    readonly operands: readonly [MatrixLayout, MatrixLayout];
    /** Whether b comes first. */
    readonly swapped: boolean;
    /** The labels of the product's axes. */
    readonly labels: string;
  } | null;
  /** The labels of the product element by element. */
  readonly multiplied: string;
  /** The labels of the result's axes that are longer than 1. */
  readonly result: string;
}

type Sizes = Readonly<Record<string, number>>;

const layouts: Memory<PairLayout> = /* @__PURE__ */ new Map();

/** What a stack of products costs per matrix beside its arithmetic, in elements moved by a transpose. */
const MATRIX_OVERHEAD = 64;

/** Stacks of scalar products that are shorter are faster multiplied element by element. */
const SHORT_DEPTH = 128;

/** The labels of axes longer than 1. */
export const longLabels = (labels: string, shape: readonly number[]): string =>
  [...labels].filter((_, axis) => shape[axis] !== 1).join('');

/** The size of every label that has an axis longer than 1. */
export function longSizes(...operands: readonly (readonly [labels: string, shape: readonly number[]])[]): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [labels, shape] of operands) {
    if (labels.length !== shape.length) {
      throw new ShapeError(`einsum: there are ${labels.length} labels '${labels}' for shape [${shape.join(', ')}]`);
    }
    [...labels].forEach((label, axis) => {
      if (shape[axis] !== 1) sizes[label] = shape[axis]!;
    });
  }
  return sizes;
}

/**
 * The layout in which a contraction moves the least memory before and after its product: operands whose labels lie in groups are not moved, whichever
 * group comes first.
 */
export function pairLayout(labels: PairLabels, aShape: readonly number[], bShape: readonly number[]): PairLayout {
  const { aLabels, bLabels, yLabels } = labels;
  return remembered(layouts, `${aLabels},${bLabels}->${yLabels}`, [aShape, bShape], () => {
    const sizes = longSizes([aLabels, aShape], [bLabels, bShape]);
    const own = [longLabels(aLabels, aShape), longLabels(bLabels, bShape)] as const;
    const result = [...yLabels].filter((label) => sizes[label] !== undefined).join('');
    const [a, b] = own;
    for (const label of a + b + result) {
      const among = [a, b, result].filter((text) => text.includes(label)).length;
      const repeated = [a, b, result].some((text) => text.indexOf(label) !== text.lastIndexOf(label));
      if (among < 2 || repeated) {
        throw new ShapeError(
          `einsum: label '${label}' of '${aLabels},${bLabels}->${yLabels}' must stand once in two of its terms or more`,
        );
      }
    }
    const contracted = keepLabels(a, (label) => b.includes(label) && !result.includes(label));
    if (contracted === '') return { own, sizes, result, multiplied: result, product: null };
    const { product, moves } = bestProduct(a, b, result, sizes);
    const areScalars = keepLabels(a + b, (label) => !(a.includes(label) && b.includes(label))) === '';
    // Of scalars a product of matrices takes one call each, and all of both operands may have to be moved before.
    const byElement = areScalars && result !== '' && (moves || sizeOf(contracted, sizes) < SHORT_DEPTH);
    return { own, sizes, result, multiplied: a, product: byElement ? null : product };
  });
}

interface Grouping {
  /** Labels of the stack, and those of them that each operand has. */
  readonly stack: string;
  readonly aStack: string;
  readonly bStack: string;
  readonly left: string;
  readonly right: string;
  readonly depth: string;
}

const orders = (texts: readonly string[], keep: (label: string) => boolean) => [
  ...new Set(texts.map((text) => [...text].filter(keep).join(''))),
];

function* groupings(a: string, b: string, y: string): Generator<Grouping> {
  const isBatch = (label: string) => a.includes(label) && b.includes(label) && y.includes(label);
  const isDepth = (label: string) => a.includes(label) && b.includes(label) && !y.includes(label);
  for (const depth of orders([a, b], isDepth)) {
    for (const left of orders([a, y], (label) => a.includes(label) && !b.includes(label))) {
      for (const right of orders([b, y], (label) => b.includes(label) && !a.includes(label))) {
        for (const batch of orders([a, b, y], isBatch)) {
          yield { stack: batch, aStack: batch, bStack: batch, left, right, depth };
        }
        if ([...a].some(isBatch)) continue;
        // The first labels of one operand can be a stack that the other, a single matrix, is multiplied with.
        for (let cut = 1; cut <= left.length; cut++) {
          const stack = left.slice(0, cut);
          yield { stack, aStack: stack, bStack: '', left: left.slice(cut), right, depth };
        }
        for (let cut = 1; cut <= right.length; cut++) {
          const stack = right.slice(0, cut);
          yield { stack, aStack: '', bStack: stack, left, right: right.slice(cut), depth };
        }
      }
    }
  }
}

/** One of two orders of a tensor's groups of labels. */
interface Form {
  readonly labels: string;
  /** Whether it is the second. */
  readonly turned: boolean;
  /** Elements moved to bring the tensor into it, twice if its last axis goes elsewhere: then nothing moves in runs. */
  readonly cost: number;
}

/** The order that a tensor with the labels `own` has, or the one it is brought to with less work. */
function formOf(own: string, [first, second]: readonly [string, string], sizes: Sizes): Form {
  if (own === first || own === second) return { labels: own, turned: own !== first, cost: 0 };
  const turned = second.at(-1) === own.at(-1) && first.at(-1) !== own.at(-1);
  const labels = turned ? second : first;
  return { labels, turned, cost: sizeOf(own, sizes) * (labels.at(-1) === own.at(-1) ? 1 : 2) };
}

function bestProduct(a: string, b: string, y: string, sizes: Sizes): { moves: boolean; product: PairLayout['product'] } {
  let best: { cost: number; moves: boolean; product: PairLayout['product'] } | undefined;
  for (const { stack, aStack, bStack, left, right, depth } of groupings(a, b, y)) {
    const aForm = formOf(a, [aStack + left + depth, aStack + depth + left], sizes);
    const bForm = formOf(b, [bStack + depth + right, bStack + right + depth], sizes);
    const yForm = formOf(y, [stack + left + right, stack + right + left], sizes);
    const stacked = aStack === bStack ? 0 : MATRIX_OVERHEAD * sizeOf(stack, sizes);
    const cost = aForm.cost + bForm.cost + yForm.cost + stacked;
    if (best !== undefined && best.cost <= cost) continue;
    // b a is the transpose of the product, so there each operand is taken the other way round.
    const swapped = yForm.turned;
    const matrix = ({ labels, turned }: Form, own: string, first: string, second: string): MatrixLayout => {
      const [rows, columns] = turned ? [second, first] : [first, second];
      const shape = [rows, columns].map((text) => sizeOf(text, sizes));
      return { labels, shape: stack === '' ? shape : [sizeOf(own, sizes), ...shape], transposed: turned !== swapped };
    };
    const operands = [matrix(aForm, aStack, left, depth), matrix(bForm, bStack, depth, right)] as [MatrixLayout, MatrixLayout];
    if (swapped) operands.reverse();
    best = { cost, moves: cost > stacked, product: { operands, swapped, labels: yForm.labels } };
  }
  return best!;
}
