import type { TensorInfo } from '@tensorflow/tfjs-core';
import { type GemmCode, gemmCode, storeParts, sumPartsCode } from './gemm-code';
import { type GemmPlan, type GemmSize, planGemm, threadsOf } from './gemm-tile';
import { runProgram } from './run-program';
import type { WebGpuBackend } from './web-gpu-backend';
import { programError, type WebGpuOutput, type WebGpuProgram, type WebGpuUniform } from './web-gpu-program';

/** A matrix product whose operands are made, and whose result is used, by WGSL of the caller. */
export interface GemmProgram<Output extends string = string> extends GemmCode {
  readonly name: string;
  readonly size: GemmSize;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly outputs: Readonly<Record<Output, WebGpuOutput>>;
  /** Beside `batches`, `rows`, `columns` and `depth`, which are always there. */
  readonly uniforms?: Readonly<Record<string, WebGpuUniform>> | undefined;
  /** Inputs that are bound as `array<vec4f>`. */
  readonly vectors?: readonly string[] | undefined;
  /** Instead of the tile and the number of parts that suit the size. */
  readonly plan?: GemmPlan | undefined;
}

type Triple = [number, number, number];

/** Threads of a workgroup that sums parts. */
const THREADS = 64;

/** Shaders by what they are made of; as many as there are pipelines. */
const codes = /* @__PURE__ */ new Map<string, string>();

/**
 * Runs a tiled matrix product on tfjs's WebGPU device: operands come from WGSL of the caller (a buffer, or `exp` of one), results go to WGSL of the caller (a
 * buffer, a gate, a division). Several products may share the left operand.
 *
 * One program; where the result has too few tiles to fill the device and the depth is long, two: partial products, then `store` of their sums, which are
 * added in order.
 *
 * @returns one new tensor per output; `store` writes every element of each.
 * @throws Error as `runProgram`.
 * @example
 * const { output } = runGemm(backend, {
 *   name: 'Product',
 *   size: { batches: 1, rows, columns, depth },
 *   inputs: { a, b },
 *   outputs: { output: { shape: [rows, columns] } },
 *   left: { element: 'return a[row * uniforms.depth + k];', neighbours: 'depth' },
 *   rights: [{ element: 'return b[k * uniforms.columns + column];', neighbours: 'width' }],
 *   store: 'output[row * uniforms.columns + column] = value0;',
 * });
 */
export function runGemm<Output extends string>(backend: WebGpuBackend, program: GemmProgram<Output>): Record<Output, TensorInfo> {
  const { name, size, rights, outputs, vectors } = program;
  const { limits } = backend.device;
  const { tile, splits } = program.plan ?? planGemm(size, rights.length, limits);
  const [across, along] = threadsOf(tile);
  const tiles = size.batches * splits * Math.ceil(size.rows / tile.rows) * Math.ceil(size.columns / tile.columns);
  const grid = { workgroupSize: [across * along, 1, 1] as Triple, workgroups: gridOf(tiles, limits) };
  const uniforms = sizeUniforms(size);
  for (const [item, uniform] of Object.entries(program.uniforms ?? {})) {
    if (uniforms[item] !== undefined) throw programError(program, `uniform '${item}' is the size of the product`);
    uniforms[item] = uniform;
  }
  const all = { name, inputs: program.inputs, vectors, uniforms };
  const codeOf = (stage: string, make: () => string) => {
    const key = [stage, splits, tile.rows, tile.columns, tile.depth, ...wgslOf(program)].join('\0');
    let code = codes.get(key);
    if (code === undefined) codes.set(key, (code = make()));
    return code;
  };
  if (splits === 1) {
    return runProgram(backend, { ...all, ...grid, outputs, code: codeOf('whole', () => gemmCode(tile, program, 1)) });
  }

  const products = rights.length;
  const first = codeOf('parts', () => gemmCode(tile, { ...program, store: storeParts(products, splits) }, splits));
  const second = codeOf('sums', () => sumPartsCode(program, splits));
  const total = size.batches * size.rows * size.columns;
  uniforms.gemmChunk = { type: 'u32', value: Math.ceil(size.depth / splits / tile.depth) * tile.depth };
  const made = runProgram(backend, {
    // What neither program uses is bound by the first, which is then refused.
    ...usedBy((item) => uses(first, item) || !uses(second, item), all),
    ...grid,
    outputs: { gemmParts: { shape: [products * splits, total] } },
    code: first,
  });
  const sums = usedBy((item) => uses(second, item), all);
  const results = runProgram(backend, {
    ...sums,
    inputs: { ...sums.inputs, ...made },
    outputs,
    workgroupSize: [THREADS, 1, 1],
    workgroups: [Math.min(Math.ceil(total / THREADS), limits.maxComputeWorkgroupsPerDimension), 1, 1],
    code: second,
  });
  backend.disposeData(made.gemmParts.dataId);
  return results;
}

const sizeUniforms = (size: GemmSize): Record<string, WebGpuUniform> => ({
  batches: { type: 'u32', value: size.batches },
  rows: { type: 'u32', value: size.rows },
  columns: { type: 'u32', value: size.columns },
  depth: { type: 'u32', value: size.depth },
});

/** Workgroups in lines of as many as the device allows; the shader leaves out those of the last line that are too many. */
function gridOf(workgroups: number, limits: GPUSupportedLimits): Triple {
  const most = limits.maxComputeWorkgroupsPerDimension;
  return [Math.min(workgroups, most), Math.ceil(workgroups / most), 1];
}

/** All that a caller's WGSL consists of. */
const wgslOf = ({ left, rights, store, revisit, range, functions }: GemmCode) => [
  ...[left, ...rights].flatMap(({ element, quad, neighbours }) => [quad ?? element, quad ? 'four' : 'one', neighbours]),
  store,
  revisit,
  range?.begin,
  range?.end,
  functions,
];

const uses = (code: string, name: string) => new RegExp(`\\b${name}\\b`).test(code);

/** The inputs and uniforms of a program that one of its two shaders binds. */
function usedBy(
  isUsed: (name: string) => boolean,
  { name, inputs, vectors, uniforms }: Pick<WebGpuProgram, 'name' | 'inputs' | 'vectors' | 'uniforms'>,
) {
  const only = <Value>(all: Readonly<Record<string, Value>>) =>
    Object.fromEntries(Object.entries(all).filter(([item]) => isUsed(item)));
  return { name, inputs: only(inputs), vectors: vectors?.filter(isUsed), uniforms: only(uniforms!) };
}
