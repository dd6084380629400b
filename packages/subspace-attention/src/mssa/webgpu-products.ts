import { type GemmOperand, type KernelCall, runGemm, type WebGpuUniform, webGpuBackend } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';

/** The sizes of a call by name; one that continues others calls its own tokens targets, and those before them past. */
export function sizesOf({ sizes }: KernelCall) {
  const { batch, tokens, target, past = 0, dim, heads, headDim } = sizes as Record<string, number>;
  const own = tokens ?? target!;
  return { batch: batch!, tokens: own, past, sources: past + own, dim: dim!, heads: heads!, headDim: headDim! };
}

/** WGSL of where `column` of a row of all heads side by side lies in `[batch, heads, tokens, headDim]`, row being one of all tokens. */
const headAt = `
fn headAt(row: u32, column: u32) -> u32 {
  let number = row / uniforms.tokens * uniforms.heads + column / uniforms.headDim;
  return (number * uniforms.tokens + row % uniforms.tokens) * uniforms.headDim + column % uniforms.headDim;
}`;

/** WGSL that places `index` at a channel of a subspace or of the way back, `[heads, dim, headDim]`: the `place`th of all heads. */
const ofSubspace = (place: string, dim: string, channel: string) =>
  `(${place} / uniforms.headDim * ${dim} + ${channel}) * uniforms.headDim + ${place} % uniforms.headDim`;

/** An element of a tensor; its neighbours are read four at a time where lines of memory run along the result and `width` allows it. */
function operand(name: string, index: string, neighbours: GemmOperand['neighbours'], width = 1): GemmOperand {
  const byFour = neighbours === 'width' && width % 4 === 0;
  return { neighbours, element: `return ${name}[${index}];`, quad: byFour ? `return ${name}[(${index}) / 4u];` : undefined };
}

interface Product {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly shape: number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly left: GemmOperand;
  readonly right: GemmOperand;
  /** Where an element of the product goes. */
  readonly at: string;
  readonly uniforms?: Readonly<Record<string, number>>;
}

function product(call: KernelCall, { name, inputs, shape, left, right, at, uniforms, ...size }: Product): TensorInfo {
  const { tokens, heads, headDim } = sizesOf(call);
  const own: Record<string, WebGpuUniform> = {};
  const code = `${left.element}${right.element}${at}`;
  for (const [key, value] of Object.entries({ tokens, heads, headDim, ...uniforms })) {
    const isRead = code.includes(`uniforms.${key}`) || (code.includes('headAt(') && headAt.includes(`uniforms.${key}`));
    if (isRead) own[key] = { type: 'u32', value };
  }
  const readByFour = (code: string | undefined, input: string) => code?.includes(`${input}[`) ?? false;
  return runGemm(webGpuBackend(call.backend), {
    name,
    size: { batches: 1, ...size },
    inputs,
    vectors: Object.keys(inputs).filter((input) => readByFour(left.quad, input) || readByFour(right.quad, input)),
    outputs: { made: { shape } },
    uniforms: own,
    left,
    rights: [right],
    store: `made[${at}] = value0;`,
    functions: code.includes('headAt(') ? headAt : '',
  }).made;
}

/** What maps make of rows of `dim`, by heads: of tokens by the subspaces, and of the gradient that arrives by the transposed way back. */
export function toHeads(call: KernelCall, rows: TensorInfo): TensorInfo {
  const { batch, tokens, dim, heads, headDim } = sizesOf(call);
  const { subspaces, output } = call.inputs as Record<string, TensorInfo>;
  const isBack = rows === call.inputs.dDenoised && output !== undefined;
  return product(call, {
    name: isBack ? 'MssaToUntiedHeads' : 'MssaToHeads',
    inputs: { given: rows, map: isBack ? output : subspaces! },
    shape: [batch, heads, tokens, headDim],
    rows: batch * tokens,
    columns: heads * headDim,
    depth: dim,
    left: operand('given', 'row * uniforms.depth + k', 'depth'),
    right: isBack
      ? operand('map', 'column * uniforms.depth + k', 'depth')
      : operand('map', ofSubspace('column', 'uniforms.depth', 'k'), 'width', headDim),
    at: 'headAt(row, column)',
  });
}

/** What heads send to rows of `dim`, added up: results by the way back, and gradients of projected tokens by the transposed subspaces. */
export function fromHeads(call: KernelCall, byHeads: TensorInfo, shape: number[], untied?: TensorInfo): TensorInfo {
  const { batch, tokens, dim, heads, headDim } = sizesOf(call);
  return product(call, {
    name: untied ? 'MssaFromUntiedHeads' : 'MssaFromHeads',
    inputs: { byHeads, map: untied ?? call.inputs.subspaces! },
    shape,
    rows: batch * tokens,
    columns: dim,
    depth: heads * headDim,
    left: operand('byHeads', 'headAt(row, k)', 'depth'),
    right: untied
      ? operand('map', 'k * uniforms.columns + column', 'width', dim)
      : operand('map', ofSubspace('k', 'uniforms.columns', 'column'), 'depth'),
    at: 'row * uniforms.columns + column',
  });
}

/** Rows of `dim` and what stands against them by heads: the gradient of a map between them is their product over all tokens. */
export interface Against {
  readonly rows: TensorInfo;
  readonly byHeads: TensorInfo;
}

/** The gradient of maps, `[heads, dim, headDim]` or, if `untied`, `[heads, headDim, dim]`; two pairs are two parts of one depth. */
export function mapGradient(
  call: KernelCall,
  [one, two]: readonly [Against, Against?],
  shape: number[],
  untied = false,
): TensorInfo {
  const { batch, tokens, dim, heads, headDim } = sizesOf(call);
  const count = batch * tokens;
  const both = (first: GemmOperand, second: GemmOperand): GemmOperand => {
    const either = (name: 'element' | 'quad') =>
      first[name] && `if (k >= uniforms.count) { ${second[name]} } ${first[name]}`.replaceAll('SECOND', '(k - uniforms.count)');
    return { neighbours: 'width', element: either('element')!, quad: either('quad') };
  };
  const left = (name: string, k: string) => operand(name, `${k} * uniforms.rows + row`, 'width', dim);
  const right = (name: string, k: string) => operand(name, `headAt(${k}, column)`, 'width', headDim);
  return product(call, {
    name: two ? 'MssaTiedGradient' : 'MssaMapGradient',
    inputs: { given: one.rows, byHeads: one.byHeads, ...(two && { moreGiven: two.rows, moreByHeads: two.byHeads }) },
    shape,
    rows: dim,
    columns: heads * headDim,
    depth: two ? 2 * count : count,
    left: two ? both(left('given', 'k'), left('moreGiven', 'SECOND')) : left('given', 'k'),
    right: two ? both(right('byHeads', 'k'), right('moreByHeads', 'SECOND')) : right('byHeads', 'k'),
    at: 'column / uniforms.headDim * uniforms.rows * uniforms.headDim + row * uniforms.rowStep + column % uniforms.headDim * uniforms.columnStep',
    uniforms: { count, rowStep: untied ? 1 : headDim, columnStep: untied ? dim : 1 },
  });
}
