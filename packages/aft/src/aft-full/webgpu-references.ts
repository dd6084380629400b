import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** Targets of a causal block: they share the references of their exponents. */
export const BLOCK = 64;

/** Targets that share a flag for what is computed directly. */
export const FLAGGED = 8;

/** How a causal block's own keys may exceed its reference, in nats; targets that see a larger one are computed directly. */
const EXCESS = 20;

export interface FullSizes {
  readonly target: number;
  readonly source: number;
  readonly dim: number;
  readonly rank: number;
  /** Channels of all batch entries: the columns of every product. */
  readonly channels: number;
  /** Blocks of targets; one if the call is not causal. */
  readonly blocks: number;
  readonly causal: boolean;
}

export function sizesOf({ sizes, attributes }: KernelCall): FullSizes {
  const { batch, target, source, dim, rank = 0 } = sizes as Record<string, number>;
  const causal = Boolean(attributes.causal);
  const channels = batch! * dim!;
  return { target: target!, source: source!, dim: dim!, rank, channels, blocks: causal ? Math.ceil(target! / BLOCK) : 1, causal };
}

/** The rows of a product over targets or sources: by blocks if the call is causal. */
export const rowsOf = ({ blocks, causal }: FullSizes, length: number) =>
  causal ? { batches: blocks, rows: BLOCK } : { batches: 1, rows: length };

/** The sizes that WGSL code reads as uniforms. */
export function uniformsFor(call: KernelCall, code: string) {
  const { target, source, dim, rank, channels, blocks } = sizesOf(call);
  const all = { targets: target, sources: source, dim, rank, channels, blocks, elements: target * channels };
  const read = Object.entries(all).filter(([name]) => new RegExp(`\\buniforms\\.${name}\\b`).test(code));
  return Object.fromEntries(read.map(([name, value]) => [name, { type: 'u32' as const, value }]));
}

/**
 * What the first program gathers in one buffer, for a program binds but eight: the largest bias of each target, the references of the exponents per block
 * and channel, the largest key of each channel, and copies of what would be a binding each.
 */
function segmentsOf(call: KernelCall, pass: 'forward' | 'backward'): { name: string; floats: number; length: string }[] {
  const { target, source, channels, blocks, rank, causal } = sizesOf(call);
  const perBlock = { floats: blocks * channels, length: 'uniforms.blocks * uniforms.channels' };
  return [
    { name: 'largestBias', floats: target, length: 'uniforms.targets' },
    { name: 'reference', ...perBlock },
    { name: 'largestKey', floats: channels, length: 'uniforms.channels' },
    ...(causal && pass === 'forward' ? [{ name: 'exceeding', ...perBlock }] : []),
    ...(call.inputs.keyMask
      ? [
          {
            name: 'mask',
            floats: (channels / call.sizes.dim!) * source,
            length: 'uniforms.channels / uniforms.dim * uniforms.sources',
          },
        ]
      : []),
    ...(rank > 0
      ? [
          { name: 'u', floats: target * rank, length: 'uniforms.targets * uniforms.rank' },
          { name: 'v', floats: source * rank, length: 'uniforms.sources * uniforms.rank' },
        ]
      : []),
    ...(pass === 'backward' ? [{ name: 'logs', floats: target * channels, length: 'uniforms.elements' }] : []),
  ];
}

/** The WGSL expression of the place where a segment begins. */
function beginOf(call: KernelCall, pass: 'forward' | 'backward', name: string): string {
  const segments = segmentsOf(call, pass);
  const before = segments.slice(
    0,
    segments.findIndex((segment) => segment.name === name),
  );
  return before.length === 0 ? '0u' : before.map(({ length }) => length).join(' + ');
}

/** WGSL of indices, and of exponents that are sums of two integers, which is exact, and of two rests. */
const places = /* wgsl */ `
fn elementOf(t: u32, column: u32) -> u32 { return (column / uniforms.dim * uniforms.targets + t) * uniforms.dim + column % uniforms.dim; }
fn sourceOf(j: u32, column: u32) -> u32 { return (column / uniforms.dim * uniforms.sources + j) * uniforms.dim + column % uniforms.dim; }
fn wholeExponent(k: f32, w: f32) -> f32 { return round(k) + round(w); }
fn exponent(k: f32, w: f32, largest: f32) -> f32 {
  return (wholeExponent(k, w) - largest) + ((k - round(k)) + (w - round(w)));
}`;

/** WGSL that reads the gathered buffer `references`, and the bias and the mask wherever they are. */
export function referenceReaders(call: KernelCall, pass: 'forward' | 'backward'): string {
  const at = (name: string) => beginOf(call, pass, name);
  const { rank, causal } = sizesOf(call);
  const bias =
    rank > 0
      ? `let u0 = ${at('u')} + t * uniforms.rank;
  let v0 = ${at('v')} + j * uniforms.rank;
  var sum = 0.0;
  for (var i = 0u; i < uniforms.rank; i++) { sum = fma(references[u0 + i], references[v0 + i], sum); }
  return sum;`
      : 'return positionBias[t * uniforms.sources + j];';
  return `${places}
fn referenceOf(block: u32, column: u32) -> f32 { return references[${at('reference')} + block * uniforms.channels + column]; }
fn largestKey(column: u32) -> f32 { return references[${at('largestKey')} + column]; }
fn biasAt(t: u32, j: u32) -> f32 { ${bias} }
fn attends(column: u32, j: u32) -> bool { return ${
    call.inputs.keyMask ? `references[${at('mask')} + column / uniforms.dim * uniforms.sources + j] != 0.0` : 'true'
  }; }
fn seenBy(t: u32) -> u32 { return ${causal ? 't + 1u' : 'uniforms.sources'}; }
${causal && pass === 'forward' ? `fn exceedingOf(block: u32, column: u32) -> f32 { return references[${at('exceeding')} + block * uniforms.channels + column]; }` : ''}
${pass === 'backward' ? `fn logOf(i: u32) -> f32 { return references[${at('logs')} + i]; }` : ''}`;
}

/** The WGSL expression of an element of a factor, of `v` if `isSource`, at `row` and `column`. */
export const factorReader = (call: KernelCall): string =>
  `references[select(${beginOf(call, 'backward', 'u')}, ${beginOf(call, 'backward', 'v')}, isSource) + row * uniforms.rank + column]`;

/** The first program of both passes. */
export function gatherReferences(call: KernelCall, pass: 'forward' | 'backward'): TensorInfo {
  const { causal, rank } = sizesOf(call);
  const { key, positionBias, u, v, keyMask, logNormalizer } = call.inputs;
  const segments = segmentsOf(call, pass);
  const floats = segments.reduce((sum, segment) => sum + segment.floats, 0);
  const masked = keyMask ? 'keyMask[column / uniforms.dim * uniforms.sources + j] != 0.0' : 'true';
  const before = pass === 'forward' ? 'start' : `min(start + ${BLOCK}u, uniforms.sources)`;
  const bodies: Record<string, string> = {
    largestBias: `
      var largest = -1e30;
      for (var j = 0u; j < ${causal ? 'n + 1u' : 'uniforms.sources'}; j++) { largest = max(largest, biasAt(n, j)); }
      references[i] = largest;`,
    reference: `
      let column = n % uniforms.channels;
      let start = n / uniforms.channels * ${BLOCK}u;
      var reference = largestBefore(${causal ? before : 'uniforms.sources'}, column);
      ${
        causal && pass === 'forward'
          ? `
      var exceeding = 4e9;
      for (var j = start; j < min(start + ${BLOCK}u, uniforms.sources); j++) {
        if (!attends(column, j)) { continue; }
        let k = key[sourceOf(j, column)];
        if (reference == -1e30) { reference = k; }
        if (k - reference > ${EXCESS}.0) { exceeding = f32(j); break; }
      }
      references[${beginOf(call, pass, 'exceeding')} + n] = exceeding;`
          : ''
      }
      references[i] = select(reference, 0.0, reference == -1e30);`,
    largestKey: `
      let largest = largestBefore(uniforms.sources, n);
      references[i] = select(largest, 0.0, largest == -1e30);`,
    mask: 'references[i] = keyMask[n];',
    u: 'references[i] = u[n];',
    v: 'references[i] = v[n];',
    logs: 'references[i] = logNormalizer[n];',
  };
  const written = segments.filter(({ name }) => name !== 'exceeding');
  const bias =
    rank > 0
      ? `var sum = 0.0;
  for (var i = 0u; i < uniforms.rank; i++) { sum = fma(u[t * uniforms.rank + i], v[j * uniforms.rank + i], sum); }
  return sum;`
      : 'return positionBias[t * uniforms.sources + j];';
  const code = `${places}
fn biasAt(t: u32, j: u32) -> f32 { ${bias} }
fn attends(column: u32, j: u32) -> bool { return ${masked}; }
fn largestBefore(end: u32, column: u32) -> f32 {
  var largest = -1e30;
  for (var j = 0u; j < end; j++) { if (attends(column, j)) { largest = max(largest, key[sourceOf(j, column)]); } }
  return largest;
}
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let total = ${segments.map(({ length }) => length).join(' + ')};
  for (var i = id.x; i < total; i += groups.x * workgroupSize.x) {
    ${written
      .map(({ name, length }) => {
        const begin = beginOf(call, pass, name);
        return `if (i >= ${begin} && i - (${begin}) < ${length}) { let n = i - (${begin}); ${bodies[name]} }`;
      })
      .join('\n    ')}
  }
}`;
  const given = { key, positionBias, u, v, keyMask, ...(pass === 'backward' ? { logNormalizer } : {}) };
  const inputs = Object.fromEntries(Object.entries(given).filter(([, info]) => info !== undefined)) as Record<string, TensorInfo>;
  return runProgram(webGpuBackend(call.backend), {
    name: 'AftFullReferences',
    inputs,
    outputs: { references: { shape: [floats] } },
    uniforms: uniformsFor(call, code),
    workgroupSize: [64, 1, 1],
    workgroups: [Math.min(Math.ceil(floats / 64), 65535), 1, 1],
    code,
  }).references;
}

/**
 * WGSL of `fn mixDirectly(t, column) -> Mix`: one element by its exponentials alone, relative to `largest`; without `value` bound its context is 0.
 */
export const directMix = (withValue: boolean) => /* wgsl */ `
struct Mix { context: f32, largest: f32, denominator: f32 }
fn mixDirectly(t: u32, column: u32) -> Mix {
  var largest = -1e30;
  for (var j = 0u; j < seenBy(t); j++) {
    if (attends(column, j)) { largest = max(largest, wholeExponent(key[sourceOf(j, column)], biasAt(t, j))); }
  }
  var numerator = 0.0;
  var denominator = 0.0;
  for (var j = 0u; j < seenBy(t); j++) {
    if (!attends(column, j)) { continue; }
    let i = sourceOf(j, column);
    let weight = exp(exponent(key[i], biasAt(t, j), largest));
    ${withValue ? 'numerator = fma(weight, value[i], numerator);' : ''}
    denominator += weight;
  }
  return Mix(numerator / select(1.0, denominator, denominator > 0.0), largest, denominator);
}`;

/** What every program of AFT-full can bind; beyond it the composed form runs. */
export const acceptsFull: NonNullable<FusedKernel['accepts']> = (call) => {
  const { limits } = webGpuBackend(call.backend).device;
  const { target, source, channels, rank } = sizesOf(call);
  const bytes =
    4 * Math.max(5 * target * channels + target, 2 * (target + source) * (channels + rank), rank > 0 ? 0 : target * source);
  if (bytes <= limits.maxStorageBufferBindingSize) return null;
  return `the WebGPU kernels would bind ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`;
};
