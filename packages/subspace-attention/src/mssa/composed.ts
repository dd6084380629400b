import { matMul } from '@mixfold/tensor-ops';
import { add, reshape, squeeze, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { type Mixing, mayHide, withoutLost } from './composed-blocks';
import { mix, mixBackward } from './composed-mixing';
import type { MssaAttributes } from './mssa';
import { normalizeRows, normalizeRowsBackward } from './normalize-rows';

export interface Inputs {
  tokens: Tensor;
  subspaces: Tensor;
  output?: Tensor | undefined;
  keyMask?: Tensor | undefined;
  queryKeyGain?: Tensor | undefined;
}

/** `[heads, dim, headDim]` as one matrix, `[dim, heads headDim]`. */
const sideBySide = (subspaces: Tensor): Tensor => {
  const [heads, dim, headDim] = subspaces.shape as [number, number, number];
  return reshape(transpose(subspaces, [1, 0, 2]), [dim, heads * headDim]);
};

/** Where results of all heads go, as one matrix `[heads headDim, dim]`. */
const wayBack = ({ subspaces, output }: Inputs): Tensor => {
  const map = output ?? transpose(subspaces, [0, 2, 1]);
  return reshape(map, [-1, map.shape[2]!]);
};

/** `[batch, tokens, dim]` as rows. */
const rowsOf = (x: Tensor): Tensor => reshape(x, [-1, x.shape[2]!]);

/** `[batch tokens, heads headDim]` as `[batch heads, tokens, headDim]`. */
function splitHeads(rows: Tensor, batch: number, heads: number): Tensor {
  const headDim = rows.shape[1]! / heads;
  const split = transpose(reshape(rows, [batch, -1, heads, headDim]), [0, 2, 1, 3]);
  return reshape(split, [batch * heads, -1, headDim]);
}

/** The inverse of `splitHeads`, also of `[batch, heads, tokens, headDim]`. */
function joinHeads(x: Tensor, batch: number, heads: number): Tensor {
  const headDim = x.shape.at(-1)!;
  return reshape(transpose(reshape(x, [batch, heads, -1, headDim]), [0, 2, 1, 3]), [-1, heads * headDim]);
}

/** Tokens in the coordinates of each head's subspace, `[batch heads, tokens, headDim]`. */
export const project = ({ tokens, subspaces }: Inputs): Tensor =>
  splitHeads(matMul(rowsOf(tokens), sideBySide(subspaces)), tokens.shape[0]!, subspaces.shape[0]!);

/** What the blocks of a call read; `projected` are all sources, `[batch heads, source, headDim]`, of which the last are the targets. */
export function mixingOf(projected: Tensor, { tokens, subspaces, ...inputs }: Inputs, attributes: MssaAttributes): Mixing {
  const source = projected.shape[1]!;
  const sizes = { batch: tokens.shape[0]!, heads: subspaces.shape[0]!, source, past: source - tokens.shape[1]! };
  const hides = mayHide(attributes, inputs.keyMask);
  const { clean: value, lost } = hides ? withoutLost(projected) : { clean: projected, lost: undefined };
  const match = inputs.queryKeyGain ? normalizeRows(value, inputs.queryKeyGain) : value;
  return { ...attributes, ...sizes, keyMask: inputs.keyMask, match, value, lost };
}

/** Attention over projected tokens, and the way back. */
export function composedMssa(inputs: Inputs, attributes: MssaAttributes): Record<string, Tensor> {
  const projected = project(inputs);
  return { ...finish(projected, inputs, attributes), projected: byHeads(projected, inputs) };
}

const byHeads = (x: Tensor, { subspaces }: Inputs): Tensor => {
  const heads = subspaces.shape[0]!;
  return reshape(x, [x.shape[0]! / heads, heads, ...x.shape.slice(1)]);
};

/** `denoised` of targets that are the last of the projected sources, and what its gradient needs. */
export function finish(projected: Tensor, inputs: Inputs, attributes: MssaAttributes): Record<string, Tensor> {
  const { tokens, subspaces } = inputs;
  const [batch, heads] = [tokens.shape[0]!, subspaces.shape[0]!];
  const { mixed, largest, denominator } = mix(mixingOf(projected, inputs, attributes));
  const denoised = reshape(matMul(joinHeads(mixed, batch, heads), wayBack(inputs)), tokens.shape);
  const perTarget = (x: Tensor) => squeeze(byHeads(x, inputs), [3]);
  return { denoised, mixed: byHeads(mixed, inputs), largest: perTarget(largest), denominator: perTarget(denominator) };
}

export interface Received {
  projected: Tensor;
  mixed: Tensor;
  largest: Tensor;
  denominator: Tensor;
  dDenoised: Tensor;
}

/** The gradient: back from the result, through the blocks, and back to tokens and subspaces. */
export function composedMssaBackward(inputs: Inputs & Received, attributes: MssaAttributes): Record<string, Tensor> {
  const { dProjected, ...gradients } = startBackward(inputs, attributes);
  return { ...projectBackward(inputs, dProjected!, gradients.dMap!), ...gradients };
}

/** What projected sources receive, `[batch heads, source, headDim]`, what the way back does, `dMap` `[heads headDim, dim]`, and `dQueryKeyGain`. */
export function startBackward(inputs: Inputs & Received, attributes: MssaAttributes): Record<string, Tensor> {
  const { tokens, subspaces, queryKeyGain, mixed, dDenoised } = inputs;
  const [batch, heads, , headDim] = mixed.shape as [number, number, number, number];
  const stack = (x: Tensor): Tensor => reshape(x, [batch * heads, x.shape[2]!, -1]);
  const received = rowsOf(dDenoised);
  const dMap = matMul(joinHeads(mixed, batch, heads), received, { transposeA: true });
  const dMixed = splitHeads(matMul(received, wayBack(inputs), { transposeB: true }), batch, heads);
  const mixing = mixingOf(stack(inputs.projected), { tokens, subspaces, keyMask: inputs.keyMask, queryKeyGain }, attributes);
  const perTarget = { largest: stack(inputs.largest), denominator: stack(inputs.denominator) };
  const { dMatch, dValue } = mixBackward(mixing, perTarget, dMixed);
  if (queryKeyGain === undefined) return { dProjected: add(dMatch, dValue), dMap };
  const { dX, dGain } = normalizeRowsBackward(mixing.value, queryKeyGain, dMatch);
  return { dProjected: add(dX, dValue), dMap, dQueryKeyGain: reshape(dGain, [headDim]) };
}

/** What tokens, subspaces and an untied output receive. */
export function projectBackward(inputs: Inputs, dProjected: Tensor, dMap: Tensor): Record<string, Tensor> {
  const { tokens, subspaces, output } = inputs;
  const [heads, dim, headDim] = subspaces.shape as [number, number, number];
  const dRows = joinHeads(dProjected, tokens.shape[0]!, heads);
  const dTokens = reshape(matMul(dRows, sideBySide(subspaces), { transposeB: true }), tokens.shape);
  const dSides = matMul(rowsOf(tokens), dRows, { transposeA: true });
  const dSubspaces = transpose(reshape(dSides, [dim, heads, headDim]), [1, 0, 2]);
  const dOutput = reshape(dMap, [heads, headDim, dim]);
  if (output) return { dTokens, dSubspaces, dOutput };
  return { dTokens, dSubspaces: add(dSubspaces, transpose(dOutput, [0, 2, 1])) };
}
