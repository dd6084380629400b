import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { reducedOperands } from './contraction-path';
import { einsumFor } from './einsum';
import { parseEquation } from './parse-equation';
import { expandOperand, reduceOperand } from './reduce-operand';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Terms and output as an equation: labels of an ellipsis are digits, which the grammar does not have, so each label gets a letter. */
function equationOf(terms: readonly string[], output: string): string {
  const labels = [...new Set(terms.join(''))];
  const named = (text: string) => [...text].map((label) => letters[labels.indexOf(label)]!).join('');
  return `${terms.map(named).join()}->${named(output)}`;
}

/**
 * The gradient of `einsum` in one of its operands, off the tape: a contraction of the arriving gradient with the other operands, repeated along the labels
 * that the operand alone has.
 */
export function einsumGradient(equation: string, operands: readonly Tensor[], dY: Tensor, place: number): Tensor {
  const shapes = operands.map(({ shape }) => shape);
  const parsed = parseEquation('einsum', equation, shapes);
  const kept = reducedOperands(parsed, shapes);
  return tidy(() => {
    const terms = [parsed.output];
    const factors: Record<string, Tensor> = { dOutput: dY };
    for (const [i, operand] of operands.entries()) {
      if (i === place) continue;
      terms.push(kept[i]!);
      factors[`operand ${i}`] = reduceOperand(operand, parsed.operands[i]!, kept[i]!);
    }
    const own = kept[place]!;
    const reduced = einsumFor('einsum', equationOf(terms, own), factors);
    return expandOperand(reduced, own, parsed.operands[place]!, shapes[place]!);
  });
}
