import { mssa, mssaOperator, mssaPrefill, mssaStreamingOperator } from '@mixfold/subspace-attention';
import * as tf from '@tensorflow/tfjs-core';
import type { Draw, Input } from '../draw';
import { type OperatorCase, operatorCase } from '../operator-case';
import { type MssaSizes, mssaRows } from './mssa-reference';

const sizes = {
  check: { batch: 2, tokens: 41, dim: 21, heads: 2, headDim: 11 },
  cpu: { batch: 1, tokens: 1024, dim: 256, heads: 8, headDim: 32 },
  gpu: { batch: 8, tokens: 1024, dim: 512, heads: 8, headDim: 64 },
};
type Name = 'tokens' | 'subspaces' | 'output';

/** Projection and way back, and two products of all pairs; backward, four with the maps and five of all pairs. A causal call needs half of the pairs. */
const flops = ({ batch, tokens, dim, heads, headDim }: MssaSizes, causal: boolean) => {
  const map = 2 * batch * tokens * dim * heads * headDim;
  const pairs = (2 * batch * heads * tokens * tokens * headDim) / (causal ? 2 : 1);
  const forward = 2 * map + 2 * pairs;
  return { forward, both: forward + 4 * map + 5 * pairs };
};

function mssaCase(name: string, about: string, { causal, untied }: { causal: boolean; untied: boolean }): OperatorCase {
  const inputs = ({ batch, tokens, dim, heads, headDim }: MssaSizes, draw: Draw) => {
    const drawn: Record<string, Input> = {
      tokens: draw.normals([batch, tokens, dim]),
      subspaces: draw.normals([heads, dim, headDim], { deviation: dim ** -0.5 }),
    };
    if (untied) drawn.output = draw.normals([heads, headDim, dim], { deviation: headDim ** -0.5 });
    return drawn as Record<Name, Input>;
  };
  const made = ({ tokens, subspaces, output }: Record<Name, Input>, at: MssaSizes, dOutput?: ArrayLike<number>) =>
    mssaRows(at, { tokens: tokens.data, subspaces: subspaces.data, output: output?.data, causal, dOutput });
  return operatorCase<(typeof sizes)['check'], Name>({
    name,
    about,
    operators: [mssaOperator],
    sizes,
    repeats: 'batch',
    inputs,
    ours: ({ tokens, subspaces, output }) => mssa(tokens, subspaces, { causal, output: untied ? output : undefined }),
    reference: (given, at) => made(given, at).denoised,
    gradients(given, received, at) {
      const { dTokens, dSubspaces, dOutput } = made(given, at, received);
      return { tokens: dTokens, subspaces: dSubspaces, ...(dOutput && { output: dOutput }) };
    },
    flops: (at) => flops(at, causal),
    // Backward over stock tfjs takes seconds a round; `mssa-bounds` has it.
    onlyFull: true,
    bounds: { forward: 4, both: 4 },
    peers: {
      tfjs({ tokens, subspaces, output }, { batch, tokens: time, dim, heads, headDim }) {
        const sides = tf.reshape(tf.transpose(subspaces, [1, 0, 2]), [dim, heads * headDim]);
        const rows = tf.matMul(tf.reshape(tokens, [batch * time, dim]), sides);
        const projected = tf.transpose(tf.reshape(rows, [batch, time, heads, headDim]), [0, 2, 1, 3]);
        let scores: tf.Tensor = tf.mul(tf.matMul(projected, projected, false, true), headDim ** -0.5);
        if (causal) {
          const places = tf.range(0, time);
          const earlier = tf.lessEqual(tf.reshape(places, [1, time]), tf.reshape(places, [time, 1]));
          scores = tf.add(scores, tf.where(earlier, tf.zeros([time, time]), tf.fill([time, time], -1e9)));
        }
        const mixed = tf.matMul(tf.softmax(scores), projected);
        const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * time, heads * headDim]);
        const back = untied ? tf.reshape(output, [heads * headDim, dim]) : tf.transpose(sides);
        return tf.reshape(tf.matMul(joined, back), [batch, time, dim]);
      },
      torch: `
projected = torch.einsum('btd,hdp->bhtp', tokens, subspaces)
if hasattr(F, 'scaled_dot_product_attention'):
  mixed = F.scaled_dot_product_attention(projected, projected, projected, is_causal=${causal ? 'True' : 'False'})
else:
  scores = projected @ projected.transpose(-2, -1) * headDim ** -0.5
${causal ? "  hidden = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=tokens.device).triu(1)\n  scores = scores.masked_fill(hidden, float('-inf'))\n" : ''}  mixed = torch.softmax(scores, -1) @ projected
return torch.einsum('bhtp,${untied ? 'hpd' : 'hdp'}->btd', mixed, ${untied ? 'output' : 'subspaces'})`,
    },
  });
}

/** A stretch of tokens that continues a state. */
const prefillCase = operatorCase({
  name: 'mssa-prefill',
  about: 'a stretch of tokens after a state',
  operators: [mssaStreamingOperator],
  sizes: {
    check: { batch: 2, tokens: 7, past: 34, dim: 21, heads: 2, headDim: 11 },
    cpu: { batch: 1, tokens: 64, past: 960, dim: 256, heads: 8, headDim: 32 },
    gpu: { batch: 8, tokens: 128, past: 896, dim: 512, heads: 8, headDim: 64 },
  },
  repeats: 'batch',
  onlyFull: true,
  inputs: ({ batch, tokens, past, dim, heads, headDim }, draw) => ({
    tokens: draw.normals([batch, tokens, dim]),
    subspaces: draw.normals([heads, dim, headDim], { deviation: dim ** -0.5 }),
    past: draw.normals([batch, heads, past, headDim]),
  }),
  ours({ tokens, subspaces, past }, { past: position }) {
    return tf.tidy(() => mssaPrefill(tokens, subspaces, { operator: 'mssa', position, tensors: { projected: past } }).output);
  },
  reference: ({ tokens, subspaces, past }, at) =>
    mssaRows(at, {
      tokens: tokens.data,
      subspaces: subspaces.data,
      output: undefined,
      past: past.data,
      causal: true,
      dOutput: undefined,
    }).denoised,
  gradients({ tokens, subspaces, past }, dOutput, at) {
    const given = { tokens: tokens.data, subspaces: subspaces.data, output: undefined, past: past.data, causal: true, dOutput };
    const { dTokens, dSubspaces, dPast } = mssaRows(at, given);
    return { tokens: dTokens, subspaces: dSubspaces, past: dPast };
  },
  flops({ batch, tokens, past, dim, heads, headDim }) {
    const map = 2 * batch * tokens * dim * heads * headDim;
    const pairs = 2 * batch * heads * tokens * (past + tokens / 2) * headDim;
    return { forward: 2 * map + 2 * pairs, both: 6 * map + 7 * pairs };
  },
});

export const mssaCases: readonly OperatorCase[] = [
  mssaCase('mssa', 'multi-head subspace attention, tied', { causal: false, untied: false }),
  mssaCase('mssa-causal-untied', 'causal, with an output of its own', { causal: true, untied: true }),
  prefillCase,
];
