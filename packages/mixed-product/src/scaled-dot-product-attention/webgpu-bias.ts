import { ATTENTION_TILE, declareAttention, type KernelCall } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { pairShape } from './pair-shape';
import { makeDScores, receivedFunctions } from './webgpu-dscores';
import { openMain, pairFunctions, repeat, runPairs, sizesOf, tilesOf } from './webgpu-pairs';

/**
 * The gradient of a bias, one dispatch: a workgroup owns a tile of it, and adds the gradients of scores over the axes that the bias shares, batch entries, heads
 * and targets, in order.
 */
export function webgpuBiasGradient(call: KernelCall, received: TensorInfo): Record<string, TensorInfo> {
  const { batch, heads, target, source } = sizesOf(call);
  const [ownBatches, ownHeads, ownTargets] = pairShape(call.inputs.bias!.shape);
  const sharesTargets = ownTargets === 1 && target > 1;
  const own = { batches: ownBatches, heads: ownHeads, tiles: sharesTargets ? 1 : tilesOf(target) };
  // Tiles that lie wholly behind what their targets see stay 0.
  const sees = `firstSource + uniforms.targets < firstTarget + ${ATTENTION_TILE}u + uniforms.reach`;
  const code = `${pairFunctions}${receivedFunctions}
${declareAttention([])}
${openMain}
  let tilesAcross = (uniforms.sources + ${ATTENTION_TILE - 1}u) / ${ATTENTION_TILE}u;
  let firstSource = number % tilesAcross * ${ATTENTION_TILE}u;
  let ownTarget = number / tilesAcross % uniforms.ownTiles * ${ATTENTION_TILE}u;
  let ownHead = number / tilesAcross / uniforms.ownTiles % uniforms.ownHeads;
  let ownBatch = number / tilesAcross / uniforms.ownTiles / uniforms.ownHeads;
  var sum0 = vec4f(); var sum1 = vec4f(); var sum2 = vec4f(); var sum3 = vec4f();
  for (var batch = ownBatch; batch < uniforms.batches; batch += uniforms.batchStep) {
    for (var head = ownHead; head < uniforms.heads; head += uniforms.headStep) {
      selectHead(batch, head);
      for (var firstTarget = ownTarget; firstTarget < uniforms.targets; firstTarget += ${sharesTargets ? `${ATTENTION_TILE}u` : 'uniforms.targets'}) {
        if (${sees}) {
          ${makeDScores('sources')}
          ${repeat(4, (i) => `sum${i} += dScore${i};`)}
        }
      }
    }
  }
  selectHead(ownBatch, ownHead);
  ${
    sharesTargets
      ? `workgroupBarrier();
  staged[y * 8u + x] = sum0 + sum1 + sum2 + sum3;
  workgroupBarrier();
  if (y == 0u) {
    var sum = vec4f();
    for (var row = 0u; row < 8u; row++) { sum += staged[row * 8u + x]; }
    storeBias(0u, firstSource + 4u * x, sum);
  }`
      : repeat(4, (i) => `storeBias(ownTarget + 4u * y + ${i}u, firstSource + 4u * x, sum${i});`)
  }
}
fn storeBias(t: u32, j: u32, sums: vec4f) {
  if (t >= uniforms.targets) { return; }
  for (var i = 0u; i < min(4u, max(j, uniforms.sources) - j); i++) { dBias[biasAt + t * uniforms.biasRow + j + i] = sums[i]; }
}`;
  return runPairs(call, {
    name: 'AttentionBackwardBias',
    inputs: ['query', 'key', 'value', 'mask', 'bias'],
    made: { received },
    outputs: { dBias: { shape: call.outputShapes.dBias! } },
    uniforms: { ownTiles: own.tiles, ownHeads, batchStep: ownBatches === 1 ? 1 : batch, headStep: ownHeads === 1 ? 1 : heads },
    workgroups: own.batches * own.heads * own.tiles * tilesOf(source),
    code,
  });
}
