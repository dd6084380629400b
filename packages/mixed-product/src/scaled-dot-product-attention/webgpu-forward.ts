import { ATTENTION_TILE, addWeighed, declareAttention, type FusedKernel, storeWeights } from '@mixfold/tensor-ops';
import {
  acceptsAttention,
  eachRow,
  makeScores,
  openMain,
  pairFunctions,
  repeat,
  runPairs,
  seenBefore,
  sizesOf,
  tilesOf,
} from './webgpu-pairs';

/** Value channels, in tiles, that one workgroup sums; more are shared out, and scores made for each share. */
const MOST_TILES = 4;

/**
 * One dispatch. A workgroup owns 32 targets of a head and goes through the sources, 32 at a time: scores, their exponentials relative to the largest so far, and
 * their product with the values, added to sums in registers that move on when the largest grows.
 */
export const webgpuAttention: FusedKernel = {
  accepts: acceptsAttention,
  run(call) {
    const { batch, heads, target, valueDim } = sizesOf(call);
    const tiles = Math.min(tilesOf(valueDim), MOST_TILES);
    const shares = Math.ceil(tilesOf(valueDim) / tiles);
    const saves = call.outputShapes.largest !== undefined;
    const code = `${pairFunctions}
${declareAttention(['weights'])}
var<workgroup> rowParts: array<f32, ${ATTENTION_TILE * 8}>;
fn valueOf(j: u32, c: u32) -> f32 {
  let at = (keyRows + min(j, uniforms.sources - 1u)) * uniforms.valueDim + min(c, uniforms.valueDim - 1u);
  return select(0.0, known(value[at]), (j < uniforms.sources) & (c < uniforms.valueDim));
}
${openMain}
  let share = number % ${shares}u;
  let tilesAlong = (uniforms.targets + ${ATTENTION_TILE - 1}u) / ${ATTENTION_TILE}u;
  let firstTarget = number / ${shares}u % tilesAlong * ${ATTENTION_TILE}u;
  let headNumber = number / ${shares}u / tilesAlong;
  selectHead(headNumber / uniforms.heads, headNumber % uniforms.heads);
  let firstColumn = share * ${tiles * ATTENTION_TILE}u;
  var top = vec4f(-5e29);
  var total = vec4f();
  ${repeat(tiles, (c) => `var sum${c}_0 = vec4f(); var sum${c}_1 = vec4f(); var sum${c}_2 = vec4f(); var sum${c}_3 = vec4f();`)}
  let seen = ${seenBefore(`firstTarget + ${ATTENTION_TILE}u`)};
  for (var firstSource = 0u; firstSource < seen; firstSource += ${ATTENTION_TILE}u) {
    ${makeScores('sources')}
    ${repeat(4, (i) => `rowParts[(4u * y + ${i}u) * 8u + x] = max(max(score${i}.x, score${i}.y), max(score${i}.z, score${i}.w));`)}
    workgroupBarrier();
    var most = top;
    for (var part = 0u; part < 8u; part++) {
      most = max(most, vec4f(${[0, 1, 2, 3].map((i) => `rowParts[(4u * y + ${i}u) * 8u + part]`).join(', ')}));
    }
    let change = exp(max(top - most, vec4f(-87.0)));
    top = most;
    ${eachRow('score', 'sources', 'weightsOf($value, vec4f(top[$row]))')}
    total = total * change + vec4f(${[0, 1, 2, 3].map((i) => `dot(score${i}, vec4f(1.0))`).join(', ')});
    ${eachRow('score', 'sources', 'kept($value, $t, $j)')}
    ${storeWeights('weights', 'score')}
    ${repeat(tiles, (c) => {
      const moved = [0, 1, 2, 3].map((i) => `sum${c}_${i} *= change.${'xyzw'[i]};`).join(' ');
      return `${moved}${addWeighed(`sum${c}_`, 'weights', `valueOf(firstSource + row, firstColumn + ${c * ATTENTION_TILE}u + column)`)}`;
    })}
  }
  workgroupBarrier();
  ${repeat(4, (i) => `rowParts[(4u * y + ${i}u) * 8u + x] = total[${i}];`)}
  workgroupBarrier();
  total = vec4f();
  for (var part = 0u; part < 8u; part++) {
    total += vec4f(${[0, 1, 2, 3].map((i) => `rowParts[(4u * y + ${i}u) * 8u + part]`).join(', ')});
  }
  let factor = select(vec4f(), vec4f(uniforms.keep) / total, total > vec4f());
  ${repeat(4, (i) => {
    const stores = repeat(
      tiles,
      (c) => `storeRow(t, firstColumn + ${c * ATTENTION_TILE}u + 4u * x, factor[${i}] * sum${c}_${i});`,
    );
    return `{ let t = firstTarget + 4u * y + ${i}u; ${stores}
      ${saves ? `if (x == 0u && share == 0u && t < uniforms.targets) { largest[queryRows + t] = top[${i}]; denominator[queryRows + t] = total[${i}]; }` : ''} }`;
  })}
}
fn storeRow(t: u32, c: u32, row: vec4f) {
  if (t >= uniforms.targets) { return; }
  for (var j = 0u; j < min(4u, max(c, uniforms.valueDim) - c); j++) { output[(queryRows + t) * uniforms.valueDim + c + j] = row[j]; }
}`;
    return runPairs(call, {
      name: 'AttentionShader',
      inputs: ['query', 'key', 'value', 'mask', 'bias'],
      outputs: Object.fromEntries(Object.entries(call.outputShapes).map(([name, shape]) => [name, { shape }])),
      workgroups: batch * heads * tilesOf(target) * shares,
      code,
    });
  },
};
