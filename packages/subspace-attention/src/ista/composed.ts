import { matMul } from '@mixfold/tensor-ops';
import { add, greater, mul, relu, reshape, sub, type Tensor, where, zerosLike } from '@tensorflow/tfjs-core';

type Options = { stepSize: number; threshold: number };

const rowsOf = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1)!]);

/** What the dictionary does not explain of the tokens, were they codes: `x - x D^T`. */
const restOf = (rows: Tensor, dictionary: Tensor): Tensor => sub(rows, matMul(rows, dictionary, { transposeB: true }));

export function composedIsta(
  { tokens, dictionary }: { tokens: Tensor; dictionary: Tensor },
  { stepSize, threshold }: Options,
): Record<string, Tensor> {
  const rows = rowsOf(tokens);
  const step = matMul(restOf(rows, dictionary), dictionary);
  return { output: reshape(relu(sub(add(rows, mul(step, stepSize)), stepSize * threshold)), tokens.shape) };
}

/** With g the gradient before the ReLU and r the rest: dr = eta g D^T, dx = g + dr - dr D, dD = eta r^T g - dr^T x. */
export function composedIstaBackward(
  inputs: { tokens: Tensor; dictionary: Tensor; output: Tensor; dOutput: Tensor },
  { stepSize }: Options,
): Record<string, Tensor> {
  const { tokens, dictionary } = inputs;
  const [rows, output, dOutput] = [tokens, inputs.output, inputs.dOutput].map(rowsOf) as [Tensor, Tensor, Tensor];
  // By selection, so that nothing infinite reaches a code of 0.
  const received = where(greater(output, 0), dOutput, zerosLike(dOutput));
  const scaled = mul(received, stepSize);
  const dRest = matMul(scaled, dictionary, { transposeB: true });
  const dRows = sub(add(received, dRest), matMul(dRest, dictionary));
  const dDictionary = sub(
    matMul(restOf(rows, dictionary), scaled, { transposeA: true }),
    matMul(dRest, rows, { transposeA: true }),
  );
  return { dTokens: reshape(dRows, tokens.shape), dDictionary };
}
