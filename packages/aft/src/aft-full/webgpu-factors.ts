import { type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { directBiasGradient, directReaders } from './webgpu-backward';
import { BLOCK, factorReader, referenceReaders, sizesOf, uniformsFor } from './webgpu-references';

/** Targets, and sources, of a tile of the bias's gradient; it divides a causal block. */
const TILE = 32;

/** Channels that are multiplied between two barriers. */
const DEPTH = 8;

/**
 * The gradients of the factors, one dispatch each. A workgroup owns TILE rows of a factor; it makes the gradient of the bias tile by tile in workgroup memory and adds
 * each tile, times the other factor, to its rows.
 */
export function factorGradients(call: KernelCall, references: TensorInfo, received: TensorInfo) {
  const { target, source } = sizesOf(call);
  const { dU, dV } = call.outputShapes;
  return {
    dU: factorGradient(call, references, received, { name: 'dU', shape: dU!, rows: target }),
    dV: factorGradient(call, references, received, { name: 'dV', shape: dV!, rows: source }),
  };
}

interface Factor {
  readonly name: 'dU' | 'dV';
  readonly shape: number[];
  readonly rows: number;
}

function factorGradient(
  call: KernelCall,
  references: TensorInfo,
  received: TensorInfo,
  { name, shape, rows }: Factor,
): TensorInfo {
  const { causal } = sizesOf(call);
  const { key, value } = call.inputs;
  const ofTargets = name === 'dU';
  // Tiles that lie wholly above the diagonal are 0.
  const first = causal && !ofTargets ? 'own' : '0u';
  const end = ofTargets ? (causal ? `min(own + ${TILE}u, uniforms.sources)` : 'uniforms.sources') : 'uniforms.targets';
  const code = `${referenceReaders(call, 'backward')}${directReaders}${directBiasGradient}
var<workgroup> shares: array<f32, ${TILE * DEPTH}>;
var<workgroup> mixed: array<f32, ${TILE * DEPTH}>;
var<workgroup> weighed: array<f32, ${TILE * DEPTH}>;
var<workgroup> weights: array<f32, ${TILE * DEPTH}>;
var<workgroup> tile: array<f32, ${TILE * TILE}>;

// The rows of the factors in the gathered buffer: of targets, then of sources.
fn factorAt(isSource: bool, row: u32, column: u32) -> f32 { return ${factorReader(call)}; }

fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let own = group.x * ${TILE}u;
  for (var other = ${first}; other < ${end}; other += ${TILE}u) {
    let t0 = ${ofTargets ? 'own' : 'other'};
    let j0 = ${ofTargets ? 'other' : 'own'};
    var sums = array<f32, 4>();
    for (var c0 = 0u; c0 < uniforms.channels; c0 += ${DEPTH}u) {
      workgroupBarrier();
      {
        let column = c0 + index % ${DEPTH}u;
        let row = index / ${DEPTH}u;
        let t = t0 + row;
        let j = j0 + row;
        var share = 0.0;
        var shareMixed = 0.0;
        var weight = 0.0;
        var values = 0.0;
        if (column < uniforms.channels && t < uniforms.targets) {
          share = received[elementOf(t, column)];
          shareMixed = received[uniforms.elements + elementOf(t, column)];
        }
        if (column < uniforms.channels && j < uniforms.sources) {
          if (attends(column, j)) {
            weight = exp(min(key[sourceOf(j, column)] - referenceOf(${causal ? `t0 / ${BLOCK}u` : '0u'}, column), 0.0));
            values = weight * value[sourceOf(j, column)];
          }
        }
        shares[index] = share;
        mixed[index] = shareMixed;
        weights[index] = weight;
        weighed[index] = values;
      }
      workgroupBarrier();
      for (var e = 0u; e < 4u; e++) {
        let n = index + 256u * e;
        let row = n / ${TILE}u * ${DEPTH}u;
        let column = n % ${TILE}u * ${DEPTH}u;
        for (var c = 0u; c < ${DEPTH}u; c++) {
          sums[e] += shares[row + c] * weighed[column + c] - mixed[row + c] * weights[column + c];
        }
      }
    }
    for (var e = 0u; e < 4u; e++) {
      let n = index + 256u * e;
      let t = t0 + n / ${TILE}u;
      let j = j0 + n % ${TILE}u;
      var gradient = 0.0;
      if (t < uniforms.targets && j < uniforms.sources) {
        if (j < seenBy(t)) {
          gradient = sums[e] * exp(biasAt(t, j) - references[t]);
          if (isFlagged(t)) { gradient += directGradient(t, j); }
        }
      }
      tile[n] = gradient;
    }
    workgroupBarrier();
    for (var n = index; n < ${TILE}u * uniforms.rank; n += 256u) {
      let row = n / uniforms.rank;
      let column = n % uniforms.rank;
      if (own + row >= ${ofTargets ? 'uniforms.targets' : 'uniforms.sources'}) { break; }
      var sum = 0.0;
      for (var m = 0u; m < min(${TILE}u, ${ofTargets ? 'uniforms.sources' : 'uniforms.targets'} - other); m++) {
        sum = fma(tile[${ofTargets ? `row * ${TILE}u + m` : `m * ${TILE}u + row`}], factorAt(${ofTargets}, other + m, column), sum);
      }
      let at = (own + row) * uniforms.rank + column;
      ${name}[at] = sum + select(${name}[at], 0.0, other == ${first});
    }
    workgroupBarrier();
  }
}`;
  return runProgram(webGpuBackend(call.backend), {
    name: ofTargets ? 'AftFullBackwardU' : 'AftFullBackwardV',
    inputs: { key: key!, value: value!, references, received },
    outputs: { [name]: { shape } },
    uniforms: uniformsFor(call, code),
    workgroupSize: [256, 1, 1],
    workgroups: [Math.ceil(rows / TILE), 1, 1],
    code,
  })[name]!;
}
