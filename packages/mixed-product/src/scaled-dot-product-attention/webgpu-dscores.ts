import { multiplyRows } from '@mixfold/tensor-ops';
import { eachRow, makeScores } from './webgpu-pairs';

/** WGSL of elements of values and of what targets receive, and of the gradient of a score. */
export const receivedFunctions = /* wgsl */ `
fn valueOf(j: u32, c: u32) -> f32 {
  let at = (keyRows + min(j, uniforms.sources - 1u)) * uniforms.valueDim + min(c, uniforms.valueDim - 1u);
  return select(0.0, value[at], (j < uniforms.sources) & (c < uniforms.valueDim));
}
fn receivedOf(t: u32, c: u32) -> f32 {
  let at = (queryRows + min(t, uniforms.targets - 1u)) * (uniforms.valueDim + 2u) + min(c, uniforms.valueDim - 1u);
  return select(0.0, received[at], (t < uniforms.targets) & (c < uniforms.valueDim));
}
fn numbersOf(t: vec4u, back: u32) -> vec4f {
  let at = (queryRows + min(t, vec4u(uniforms.targets - 1u)) + 1u) * (uniforms.valueDim + 2u) - back;
  return vec4f(received[at.x], received[at.y], received[at.z], received[at.w]);
}
// Where the weight is 0, what it would be multiplied by may be anything.
fn dScoresOf(weights: vec4f, dWeights: vec4f, t: vec4u, j: vec4u) -> vec4f {
  return select(vec4f(), weights * (kept(dWeights, t, j) - numbersOf(t, 2u)), weights > vec4f());
}`;

/** Sets `dScore0` to `dScore3` and, before, the weights `score0` to `score3`. */
export function makeDScores(across: 'targets' | 'sources'): string {
  const [received, value] = ['receivedOf(firstTarget + row, k)', 'valueOf(firstSource + row, k)'];
  const [left, right] = across === 'sources' ? [received, value] : [value, received];
  return `${makeScores(across)}
    ${eachRow('score', across, 'weightsOf($value, numbersOf($t, 1u))')}
    ${multiplyRows('dScore', left, right, 'uniforms.valueDim')}
    ${eachRow('dScore', across, 'dScoresOf(score$row, $value, $t, $j)')}`;
}
