import { ATTENTION_TILE, addWeighed, declareAttention, type KernelCall, multiplyRows, storeWeights } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { declareSums, matchAt, repeat, runPairs, SOURCES, targetsOf } from './webgpu-pairs';
import { sizesOf } from './webgpu-products';

/**
 * One dispatch. A workgroup owns 32 tokens of a head and goes through those they see, 32 at a time: scores, their exponentials relative to the largest so far, and
 * their product with the values, added to sums in registers that move on when the largest grows.
 */
export function webgpuMix(call: KernelCall, projected: TensorInfo): Record<'mixed' | 'largest' | 'denominator', TensorInfo> {
  const { batch, tokens, heads, headDim } = sizesOf(call);
  const normalised = call.inputs.queryKeyGain !== undefined;
  const parts = [0, 1, 2, 3].map((i) => `rowParts[(4u * y + ${i}u) * 8u + part]`).join(', ');
  return runPairs(call, {
    name: 'MssaMixing',
    inputs: { projected },
    outputs: {
      mixed: { shape: [batch, heads, tokens, headDim] },
      largest: { shape: [batch, heads, tokens] },
      denominator: { shape: [batch, heads, tokens] },
    },
    over: 'targets',
    mostTiles: 4,
    functions: `
${declareAttention(['weights'])}
var<workgroup> rowParts: array<f32, ${ATTENTION_TILE * 8}>;
${normalised ? `var<workgroup> targetRoots: array<f32, ${ATTENTION_TILE}>; var<workgroup> sourceRoots: array<f32, ${ATTENTION_TILE}>;` : ''}
fn storeMixed(t: u32, c: u32, row: vec4f) {
  if (t >= uniforms.sources) { return; }
  for (var j = 0u; j < min(4u, max(c, uniforms.headDim) - c); j++) { mixed[(firstTargetRow + t - uniforms.past) * uniforms.headDim + c + j] = row[j]; }
}`,
    body: (tiles) => `
  var top = vec4f(-5e29);
  var total = vec4f();
  ${declareSums('sum', tiles)}
  ${normalised ? `if (index < ${ATTENTION_TILE}u) { targetRoots[index] = inverseRootOf(firstTarget + index); }` : ''}
  let end = select(uniforms.sources, min(uniforms.sources, firstTarget + ${ATTENTION_TILE}u), uniforms.causal != 0u);
  for (var firstSource = 0u; firstSource < end; firstSource += ${ATTENTION_TILE}u) {
    ${normalised ? `if (index < ${ATTENTION_TILE}u) { sourceRoots[index] = inverseRootOf(firstSource + index); }` : ''}
    ${multiplyRows('score', matchAt(normalised, 'firstTarget', 'k', 'targetRoots[ROW]'), matchAt(normalised, 'firstSource', 'k', 'sourceRoots[ROW]'), 'uniforms.headDim')}
    ${repeat(4, (i) => `score${i} = select(vec4f(-1e30), uniforms.scale * score${i}, sees(${targetsOf(i)}, ${SOURCES}));`)}
    ${repeat(4, (i) => `rowParts[(4u * y + ${i}u) * 8u + x] = max(max(score${i}.x, score${i}.y), max(score${i}.z, score${i}.w));`)}
    workgroupBarrier();
    var most = top;
    for (var part = 0u; part < 8u; part++) { most = max(most, vec4f(${parts})); }
    let change = exp(max(top - most, vec4f(-87.0)));
    top = most;
    ${repeat(4, (i) => `score${i} = select(vec4f(), exp(max(score${i} - top[${i}], vec4f(-87.0))), score${i} > vec4f(-5e29));`)}
    total = total * change + vec4f(${[0, 1, 2, 3].map((i) => `dot(score${i}, vec4f(1.0))`).join(', ')});
    ${storeWeights('weights', 'score')}
    ${repeat(tiles, (c) => {
      const moved = [0, 1, 2, 3].map((i) => `sum${c}_${i} *= change.${'xyzw'[i]};`).join(' ');
      return `${moved}${addWeighed(`sum${c}_`, 'weights', `known(valueOf(firstSource + row, firstColumn + ${c * ATTENTION_TILE}u + column))`)}`;
    })}
  }
  workgroupBarrier();
  ${repeat(4, (i) => `rowParts[(4u * y + ${i}u) * 8u + x] = total[${i}];`)}
  workgroupBarrier();
  total = vec4f();
  for (var part = 0u; part < 8u; part++) { total += vec4f(${parts}); }
  let factor = select(vec4f(), vec4f(1.0) / total, total > vec4f());
  ${repeat(4, (i) => {
    const stores = repeat(
      tiles,
      (c) => `storeMixed(t, firstColumn + ${c * ATTENTION_TILE}u + 4u * x, factor[${i}] * sum${c}_${i});`,
    );
    return `{ let t = firstTarget + 4u * y + ${i}u; ${stores}
      if (x == 0u && share == 0u && t < uniforms.sources) {
        largest[firstTargetRow + t - uniforms.past] = top[${i}];
        denominator[firstTargetRow + t - uniforms.past] = total[${i}];
      } }`;
  })}`,
  });
}
