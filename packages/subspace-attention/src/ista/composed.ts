import { matMul } from '@mixfold/tensor-ops';
import { add, greater, mul, relu, reshape, sub, type Tensor, transpose, where, zerosLike } from '@tensorflow/tfjs-core';
import { foldsDictionary } from './folds-dictionary';

type Options = { stepSize: number; threshold: number };

const rowsOf = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1)!]);

/** D - D^T D: what both products of a step come to. */
const folded = (dictionary: Tensor): Tensor => sub(dictionary, matMul(dictionary, dictionary, { transposeA: true }));

export function composedIsta(
  { tokens, dictionary }: { tokens: Tensor; dictionary: Tensor },
  { stepSize, threshold }: Options,
): Record<string, Tensor> {
  const rows = rowsOf(tokens);
  const step = foldsDictionary(rows.shape as [number, number])
    ? matMul(rows, folded(dictionary))
    : matMul(sub(rows, matMul(rows, dictionary, { transposeB: true })), dictionary);
  return { output: reshape(relu(sub(add(rows, mul(step, stepSize)), stepSize * threshold)), tokens.shape) };
}

/** With g the gradient before the ReLU and G = eta x^T g: dx = g + eta g (D - D^T D)^T, dD = G - D (G + G^T). */
export function composedIstaBackward(
  inputs: { tokens: Tensor; dictionary: Tensor; output: Tensor; dOutput: Tensor },
  { stepSize }: Options,
  { outputShapes }: { readonly outputShapes: Readonly<Record<string, unknown>> },
): Record<string, Tensor> {
  const { tokens, dictionary } = inputs;
  const [rows, output, dOutput] = [tokens, inputs.output, inputs.dOutput].map(rowsOf) as [Tensor, Tensor, Tensor];
  // By selection, so that nothing infinite reaches a code of 0.
  const received = where(greater(output, 0), dOutput, zerosLike(dOutput));
  const made: Record<string, Tensor> = {};
  if (outputShapes.dTokens) {
    let step: Tensor;
    if (foldsDictionary(rows.shape as [number, number])) step = matMul(received, folded(dictionary), { transposeB: true });
    else {
      const dRest = matMul(received, dictionary, { transposeB: true });
      step = sub(dRest, matMul(dRest, dictionary));
    }
    made.dTokens = reshape(add(received, mul(step, stepSize)), tokens.shape);
  }
  if (outputShapes.dDictionary) {
    const gradient = mul(matMul(rows, received, { transposeA: true }), stepSize);
    made.dDictionary = sub(gradient, matMul(dictionary, add(gradient, transpose(gradient))));
  }
  return made;
}
