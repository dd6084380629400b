import { show } from '../check-options';
import { ShapeError } from '../errors';

/** An einsum equation with one label per axis. Axes of an ellipsis have the labels 0, 1, ..., counted from the last. */
export interface Equation {
  /** The labels of each operand's axes; a label may stand twice in one operand. */
  readonly operands: readonly string[];
  readonly output: string;
  /** The size of every label. */
  readonly sizes: Readonly<Record<string, number>>;
}

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);

/** The number of elements of a tensor with these labels. */
export const sizeOf = (labels: string, sizes: Readonly<Record<string, number>>): number =>
  product([...labels].map((label) => sizes[label]!));

/** The labels of `text` without repetitions. */
export const distinct = (text: string): string => [...new Set(text)].join('');

/**
 * Reads an equation such as `'bij,bjk->bik'` for operands of given shapes: NumPy's grammar, with an implicit output (labels that stand once, in
 * alphabetical order, behind the ellipsis), repeated labels, `...`, and axes of size 1 that broadcast. An ellipsis that the output leaves out is summed.
 *
 * @throws ShapeError naming the position in the equation, or the operand, and what does not fit.
 */
export function parseEquation(functionName: string, equation: string, shapes: readonly (readonly number[])[]): Equation {
  const fail = (problem: string): never => {
    const table = shapes.map((shape, i) => `\n  operand ${i}  [${shape.join(', ')}]`).join('');
    throw new ShapeError(`${functionName}: ${problem} in '${equation}'${table}`);
  };
  if (typeof equation !== 'string') throw new ShapeError(`${functionName}: the equation must be a string, got ${show(equation)}`);
  const arrow = equation.indexOf('->');
  checkCharacters(equation, arrow, fail);
  const compact = (text: string) => text.replaceAll(' ', '');
  const terms = compact(arrow < 0 ? equation : equation.slice(0, arrow)).split(',');
  if (terms.length !== shapes.length) fail(`the number of operands is ${terms.length}, but ${shapes.length} tensors are given`);

  const sizes: Record<string, number> = {};
  const owner: Record<string, number> = {};
  const operands = terms.map((term, i) => {
    const shape = shapes[i]!;
    const named = term.replace('...', '').length;
    const spare = shape.length - named;
    if (term.includes('...') ? spare < 0 : spare !== 0) {
      fail(`operand ${i} has ${shape.length} axes, but ${named} labels '${term}'`);
    }
    const labels = term.replace('...', ellipsis(spare, fail));
    [...labels].forEach((label, axis) => {
      const size = shape[axis]!;
      const known = sizes[label];
      if (known !== undefined && known !== size && known !== 1 && size !== 1) {
        fail(`label '${label}' is ${known} in operand ${owner[label]} but ${size} at axis ${axis} of operand ${i}`);
      }
      if (known === undefined || known === 1) {
        sizes[label] = size;
        owner[label] = i;
      }
    });
    return labels;
  });
  return { operands, output: arrow < 0 ? implicitOutput(operands) : explicitOutput(equation, arrow, operands, fail), sizes };
}

function checkCharacters(equation: string, arrow: number, fail: (problem: string) => never): void {
  const isDots = (i: number) => equation.startsWith('...', i);
  let dots = 0;
  for (let i = 0; i < equation.length; i++) {
    const character = equation[i]!;
    if (i === arrow) {
      i++;
      dots = 0;
    } else if (isDots(i)) {
      if (++dots > 1) fail(`a second '...' stands at position ${i}`);
      i += 2;
    } else if (character === ',' && (arrow < 0 || i < arrow)) {
      dots = 0;
    } else if (!/[A-Za-z ]/.test(character)) {
      fail(`'${character}' at position ${i} is neither a label nor ',', '->' or '...'`);
    }
  }
}

function ellipsis(count: number, fail: (problem: string) => never): string {
  if (count > 10) fail(`'...' stands for ${count} axes, 10 is the most`);
  return Array.from({ length: count }, (_, i) => count - 1 - i).join('');
}

const byAlphabet = (text: string) => [...text].sort().join('');
const longestEllipsis = (operands: readonly string[]) =>
  [...distinct(operands.join('').replace(/\D/g, ''))].sort().reverse().join('');

function implicitOutput(operands: readonly string[]): string {
  const letters = operands.join('').replace(/\d/g, '');
  const single = [...letters].filter((label) => letters.indexOf(label) === letters.lastIndexOf(label));
  return longestEllipsis(operands) + byAlphabet(single.join(''));
}

function explicitOutput(equation: string, arrow: number, operands: readonly string[], fail: (problem: string) => never): string {
  const written = equation.slice(arrow + 2);
  [...written].forEach((label, i) => {
    if (!/[A-Za-z]/.test(label)) return;
    const position = arrow + 2 + i;
    if (!operands.some((labels) => labels.includes(label)))
      fail(`label '${label}' at position ${position} of the output is in no operand`);
    if (written.indexOf(label) < i) fail(`label '${label}' at position ${position} stands twice in the output`);
  });
  return written.replaceAll(' ', '').replace('...', longestEllipsis(operands));
}
