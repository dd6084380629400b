import {
  ATTENTION_TILE,
  dropoutPlan,
  type KernelCall,
  multiplyRows,
  randomBitsCode,
  runProgram,
  type WebGpuBackend,
  type WebGpuOutput,
  type WebGpuUniform,
  webGpuBackend,
} from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type AttentionAttributes, pairStrides } from './pair-shape';

/** The sizes of a call by name. */
export function sizesOf({ sizes }: KernelCall) {
  const { batch, heads, keyHeads, target, source, headDim, valueDim } = sizes as Record<string, number>;
  return {
    batch: batch!,
    heads: heads!,
    keyHeads: keyHeads!,
    target: target!,
    source: source!,
    headDim: headDim!,
    valueDim: valueDim!,
  };
}

export const attributesOf = ({ attributes }: KernelCall) => attributes as AttentionAttributes;

/** Why the kernels cannot take a call: every tensor is bound whole. */
export function acceptsAttention({ inputs, outputShapes, backend }: KernelCall): string | null {
  const { limits } = webGpuBackend(backend).device;
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  // The gradient that arrives is kept with two numbers more for each row.
  const bytes = 4 * Math.max(...shapes.map((shape) => util.sizeFromShape([...shape.slice(0, -1), shape.at(-1)! + 2])));
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
}

/**
 * WGSL of what every kernel needs: where a head lies (`selectHead` sets it), elements of query and key by row and step, and scores of pairs from their
 * products: -1e30 for a pair that is not attended or does not exist. What is absent is asked of uniforms, so that all calls share a few shaders.
 */
export const pairFunctions = /* wgsl */ `
var<private> queryRows: u32;
var<private> keyRows: u32;
var<private> maskAt: u32;
var<private> biasAt: u32;
fn selectHead(batch: u32, head: u32) {
  queryRows = (batch * uniforms.heads + head) * uniforms.targets;
  keyRows = (batch * uniforms.keyHeads + head / (uniforms.heads / uniforms.keyHeads)) * uniforms.sources;
  maskAt = batch * uniforms.maskBatch + head * uniforms.maskHead;
  biasAt = batch * uniforms.biasBatch + head * uniforms.biasHead;
}
fn queryOf(t: u32, k: u32) -> f32 {
  let at = (queryRows + min(t, uniforms.targets - 1u)) * uniforms.headDim + min(k, uniforms.headDim - 1u);
  return select(0.0, uniforms.scale * query[at], (t < uniforms.targets) & (k < uniforms.headDim));
}
fn keyOf(j: u32, k: u32) -> f32 {
  let at = (keyRows + min(j, uniforms.sources - 1u)) * uniforms.headDim + min(k, uniforms.headDim - 1u);
  return select(0.0, key[at], (j < uniforms.sources) & (k < uniforms.headDim));
}
fn scoresOf(products: vec4f, t: vec4u, j: vec4u) -> vec4f {
  let inside = (t < vec4u(uniforms.targets)) & (j < vec4u(uniforms.sources));
  let row = min(t, vec4u(uniforms.targets - 1u));
  let column = min(j, vec4u(uniforms.sources - 1u));
  var scores = products;
  if (uniforms.hasBias != 0u) {
    let place = biasAt + row * uniforms.biasRow + column;
    scores = max(scores + vec4f(bias[place.x], bias[place.y], bias[place.z], bias[place.w]), vec4f(-1e30));
  }
  if (uniforms.hasMask != 0u) {
    let place = maskAt + row * uniforms.maskRow + column;
    scores = select(vec4f(-1e30), scores, vec4f(mask[place.x], mask[place.y], mask[place.z], mask[place.w]) != vec4f());
  }
  return select(vec4f(-1e30), scores, inside & (j + uniforms.targets <= t + uniforms.reach));
}
fn weightsOf(scores: vec4f, largest: vec4f) -> vec4f {
  return select(vec4f(), exp(max(scores - largest, vec4f(-87.0))), scores > vec4f(-5e29));
}
// Where a pair may be hidden, what stands before a weight of 0 may be anything.
fn known(x: f32) -> f32 {
  return select(0.0, x, (uniforms.hides == 0u) | ((bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u));
}
${randomBitsCode('vec4u')}
fn kept(x: vec4f, t: vec4u, j: vec4u) -> vec4f {
  if (uniforms.threshold == 0u) { return x; }
  return select(vec4f(), x, randomBits((queryRows + t) * uniforms.sources + j) >= vec4u(uniforms.threshold));
}`;

/** Sets `<name>0` to `<name>3` to what `element` gives of each of them, as `$value`, at its targets `$t` and sources `$j`; all are vectors of four. */
export function eachRow(name: string, across: 'targets' | 'sources', element: string): string {
  const beside = (first: string) => `(vec4u(${first} + 4u * x) + vec4u(0u, 1u, 2u, 3u))`;
  const along = (first: string, row: number) => `vec4u(${first} + 4u * y + ${row}u)`;
  return repeat(4, (row) => {
    const isAcross = across === 'sources';
    const replaced: Record<string, string> = {
      value: `${name}${row}`,
      t: isAcross ? along('firstTarget', row) : beside('firstTarget'),
      j: isAcross ? beside('firstSource') : along('firstSource', row),
      row: String(row),
    };
    return `${name}${row} = ${element.replace(/\$(\w+)/g, (_, word: string) => replaced[word]!)};`;
  });
}

/** Sets `score0` to `score3`: rows are targets and columns sources, or the other way round. */
export function makeScores(across: 'targets' | 'sources'): string {
  const [query, key] = ['queryOf(firstTarget + row, k)', 'keyOf(firstSource + row, k)'];
  const product =
    across === 'sources'
      ? multiplyRows('score', query, key, 'uniforms.headDim')
      : multiplyRows('score', key, query, 'uniforms.headDim');
  return `${product}
    ${eachRow('score', across, 'scoresOf($value, $t, $j)')}`;
}

/** WGSL of the source behind the last that targets before `end` see, the same for all threads. */
export const seenBefore = (end: string): string =>
  `min(max(min(${end}, uniforms.targets) + uniforms.reach, uniforms.targets) - uniforms.targets, uniforms.sources)`;

export const tilesOf = (length: number): number => Math.ceil(length / ATTENTION_TILE);

/** Runs a program of 64 threads a workgroup; of the uniforms those that its code reads. */
export function runPairs<Output extends string>(
  call: KernelCall,
  program: {
    readonly name: string;
    readonly inputs: readonly string[];
    readonly made?: Readonly<Record<string, TensorInfo>>;
    readonly outputs: Readonly<Record<Output, WebGpuOutput>>;
    readonly uniforms?: Readonly<Record<string, number>>;
    readonly workgroups: number;
    readonly code: string;
  },
): Record<Output, TensorInfo> {
  const backend: WebGpuBackend = webGpuBackend(call.backend);
  const inputs: Record<string, TensorInfo> = { ...program.made };
  // An absent mask or bias is bound to something that is there, and not read.
  for (const name of program.inputs) inputs[name] = call.inputs[name] ?? call.inputs.query!;
  const across = Math.min(program.workgroups, 32768);
  return runProgram<Output>(backend, {
    name: program.name,
    inputs,
    outputs: program.outputs,
    uniforms: uniformsOf(call, { ...program.uniforms, workgroups: program.workgroups }, program.code),
    workgroupSize: [64, 1, 1],
    workgroups: [across, Math.ceil(program.workgroups / across), 1],
    code: program.code,
  });
}

function uniformsOf(call: KernelCall, own: Readonly<Record<string, number>>, code: string): Record<string, WebGpuUniform> {
  const { batch, heads, keyHeads, target, source, headDim, valueDim } = sizesOf(call);
  const { causal, scale, rate, seed } = attributesOf(call);
  const { first, second, threshold, scale: keep } = dropoutPlan({ rate, seed });
  const [maskBatch, maskHead, maskRow] = pairStrides(call.inputs.mask?.shape ?? [1, 1]);
  const [biasBatch, biasHead, biasRow] = pairStrides(call.inputs.bias?.shape ?? [1, 1]);
  const [hasMask, hasBias] = [call.inputs.mask, call.inputs.bias].map((pairs) => Number(pairs !== undefined)) as [number, number];
  const whole = {
    ...{ batches: batch, heads, keyHeads, targets: target, sources: source, headDim, valueDim, threshold, ...own },
    // A causal call is no shader of its own: it reaches as far as there are sources.
    ...{ reach: causal ? source : 2 ** 31, hasMask, hasBias, hides: Math.max(Number(causal), hasMask, hasBias) },
    ...{ maskBatch, maskHead, maskRow, biasBatch, biasHead, biasRow, first: first >>> 0, second: second >>> 0 },
  };
  const uniforms: Record<string, WebGpuUniform> = {};
  for (const [name, value] of Object.entries(whole)) uniforms[name] = { type: 'u32', value };
  for (const [name, value] of Object.entries({ scale, keep })) uniforms[name] = { type: 'f32', value };
  return Object.fromEntries(Object.entries(uniforms).filter(([name]) => new RegExp(`\\buniforms\\.${name}\\b`).test(code)));
}

/** The beginning of `main`: `number` counts workgroups, those there are. */
export const openMain = `
fn main(
  @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32,
) {
  let number = group.y * groups.x + group.x;
  if (number >= uniforms.workgroups) { return; }
  let x = index % 8u;
  let y = index / 8u;`;

/** Statements for numbers from 0 to below `count`. */
export const repeat = (count: number, statement: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => statement(i)).join('\n    ');
