import {
  ATTENTION_TILE,
  type KernelCall,
  runProgram,
  type WebGpuOutput,
  type WebGpuUniform,
  webGpuBackend,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { MssaAttributes } from './mssa';
import { EPSILON } from './normalize-rows';
import { sizesOf } from './webgpu-products';

export const tilesOf = (length: number): number => Math.ceil(length / ATTENTION_TILE);

/** Statements for numbers from 0 to below `count`. */
export const repeat = (count: number, statement: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => statement(i)).join('\n    ');

/** Registers for sums over tiles of channels: rows of four columns. */
export const declareSums = (name: string, tiles: number): string =>
  repeat(tiles, (c) => [0, 1, 2, 3].map((i) => `var ${name}${c}_${i} = vec4f();`).join(' '));

/** WGSL of the targets in row `i` of a thread, four times the same, and of its sources. */
export const targetsOf = (i: number) => `vec4u(firstTarget + 4u * y + ${i}u)`;
export const SOURCES = '(vec4u(firstSource + 4u * x) + vec4u(0u, 1u, 2u, 3u))';

/**
 * WGSL of what both kernels need: where a head lies (`selectHead` sets it), projected tokens by row and channel, and which token sees which. Tokens are counted
 * from the first source; targets are those from `past` on. What is absent is asked of uniforms, so that all calls share a few shaders.
 */
const pairFunctions = /* wgsl */ `
var<private> firstSourceRow: u32;
var<private> firstTargetRow: u32;
var<private> maskAt: u32;
fn selectHead(number: u32) {
  firstSourceRow = number * uniforms.sources;
  firstTargetRow = number * uniforms.targets;
  maskAt = number / uniforms.heads * uniforms.sources;
}
fn valueOf(t: u32, c: u32) -> f32 {
  let at = (firstSourceRow + min(t, uniforms.sources - 1u)) * uniforms.headDim + min(c, uniforms.headDim - 1u);
  return select(0.0, projected[at], (t < uniforms.sources) & (c < uniforms.headDim));
}
fn sees(t: vec4u, j: vec4u) -> vec4<bool> {
  var isSeen = max(t, j) < vec4u(uniforms.sources);
  if (uniforms.causal != 0u) { isSeen = isSeen & (j <= t); }
  if (uniforms.maskSelf != 0u) { isSeen = isSeen & (j != t); }
  if (uniforms.hasMask != 0u) {
    let at = maskAt + min(j, vec4u(uniforms.sources - 1u));
    isSeen = isSeen & (vec4f(keyMask[at.x], keyMask[at.y], keyMask[at.z], keyMask[at.w]) != vec4f());
  }
  return isSeen;
}
// Where a pair may be hidden, what stands before a weight of 0 may be anything.
fn known(x: f32) -> f32 {
  return select(0.0, x, (uniforms.hides == 0u) | ((bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u));
}`;

/** Projected tokens as queries and keys: as they are, or over their root mean square and times a gain. */
const matchFunctions = (normalised: boolean): string =>
  normalised
    ? /* wgsl */ `
fn gainOf(c: u32) -> f32 { return select(0.0, gain[min(c, uniforms.headDim - 1u)], c < uniforms.headDim); }
fn matchOf(t: u32, c: u32, inverseRoot: f32) -> f32 { return valueOf(t, c) * inverseRoot * gainOf(c); }
fn inverseRootOf(t: u32) -> f32 {
  var squares = 0.0;
  for (var c = 0u; c < uniforms.headDim; c++) { squares = fma(valueOf(t, c), valueOf(t, c), squares); }
  return 1.0 / sqrt(squares / f32(uniforms.headDim) + ${EPSILON});
}`
    : '';

/** WGSL of a query or key at `row` of a tile. @param inverseRoots - an array in workgroup memory, by row of the tile. */
export const matchAt = (normalised: boolean, first: string, channel: string, inverseRoots: string): string =>
  normalised
    ? `matchOf(${first} + row, ${channel}, ${inverseRoots.replace('ROW', 'row')})`
    : `valueOf(${first} + row, ${channel})`;

/** The beginning of `main`: a workgroup owns the tile of targets, or of sources, at `firstTarget` of a head, and channels from `firstColumn` on. */
const openMain = (over: 'targets' | 'sources', shares: number, tiles: number) => /* wgsl */ `
fn main(
  @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32,
) {
  let number = group.y * groups.x + group.x;
  if (number >= uniforms.workgroups) { return; }
  let x = index % 8u;
  let y = index / 8u;
  let tilesAlong = (uniforms.${over} + ${ATTENTION_TILE - 1}u) / ${ATTENTION_TILE}u;
  let firstTarget = number / ${shares}u % tilesAlong * ${ATTENTION_TILE}u${over === 'targets' ? ' + uniforms.past' : ''};
  let headNumber = number / ${shares}u / tilesAlong;
  let share = number % ${shares}u;
  let firstColumn = share * ${tiles * ATTENTION_TILE}u;
  selectHead(headNumber);`;

export interface PairProgram<Output extends string> {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly outputs: Readonly<Record<Output, WebGpuOutput>>;
  readonly uniforms?: Readonly<Record<string, number>>;
  /** What its workgroups share out. */
  readonly over: 'targets' | 'sources';
  /** Tiles of channels that one workgroup sums at most; more are shared out, and pairs made again for each share. */
  readonly mostTiles: number;
  /** Declarations and functions. */
  readonly functions: string;
  /** What `main` does. */
  readonly body: (tiles: number) => string;
}

/** Runs a program of 64 threads per tile of tokens, head and share of the channels; of the uniforms and inputs those that its code reads. */
export function runPairs<Output extends string>(call: KernelCall, program: PairProgram<Output>): Record<Output, TensorInfo> {
  const { batch, tokens, past, sources, heads, headDim } = sizesOf(call);
  // A call that continues others is causal.
  const {
    causal = true,
    scale,
    maskSelf,
  } = call.attributes as unknown as Partial<MssaAttributes> & Pick<MssaAttributes, 'scale' | 'maskSelf'>;
  const { keyMask, queryKeyGain } = call.inputs;
  const tiles = Math.min(tilesOf(headDim), program.mostTiles);
  const shares = Math.ceil(tilesOf(headDim) / tiles);
  const workgroups = batch * heads * tilesOf(program.over === 'targets' ? tokens : sources) * shares;
  const code = `${pairFunctions}${matchFunctions(queryKeyGain !== undefined)}${program.functions}
${openMain(program.over, shares, tiles)}
${program.body(tiles)}
}`;
  const whole = {
    ...{ targets: tokens, past, sources, heads, headDim, workgroups, causal: Number(causal), maskSelf: Number(maskSelf) },
    ...{
      hasMask: Number(keyMask !== undefined),
      hides: Number(causal || maskSelf || keyMask !== undefined),
      ...program.uniforms,
    },
  };
  const uniforms: Record<string, WebGpuUniform> = {};
  for (const [name, value] of Object.entries(whole)) {
    if (new RegExp(`\\buniforms\\.${name}\\b`).test(code)) uniforms[name] = { type: 'u32', value };
  }
  uniforms.scale = { type: 'f32', value: scale };
  const across = Math.min(workgroups, 32768);
  return runProgram<Output>(webGpuBackend(call.backend), {
    name: queryKeyGain ? `${program.name}Normalised` : program.name,
    // An absent mask is bound to something that is there, and not read.
    inputs: { ...program.inputs, keyMask: keyMask ?? program.inputs.projected!, ...(queryKeyGain && { gain: queryKeyGain }) },
    outputs: program.outputs,
    uniforms,
    workgroupSize: [64, 1, 1],
    workgroups: [across, Math.ceil(workgroups / across), 1],
    code,
  });
}
