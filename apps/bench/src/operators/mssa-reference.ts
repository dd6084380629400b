import { attentionRows } from './attention-reference';

export interface MssaSizes {
  readonly batch: number;
  readonly tokens: number;
  readonly dim: number;
  readonly heads: number;
  readonly headDim: number;
  /** Tokens before these, of which the projections are given. */
  readonly past?: number;
}

/** Rows of `dim` and of all heads with a map between them; `step` is called for each pair of a channel and a place by heads, of all rows. */
function alongMaps(
  { batch, tokens, dim, heads, headDim, past = 0 }: MssaSizes,
  step: (row: number, byHeads: number, map: number) => void,
): void {
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < tokens; t++) {
        const [row, byHeads] = [(b * tokens + t) * dim, ((b * heads + h) * (past + tokens) + past + t) * headDim];
        for (let i = 0; i < dim; i++) for (let c = 0; c < headDim; c++) step(row + i, byHeads + c, (h * dim + i) * headDim + c);
      }
    }
  }
}

/** `[heads, a, b]` as `[heads, b, a]`. */
function turned(map: ArrayLike<number>, heads: number, a: number, b: number): Float64Array {
  const size = a * b;
  return Float64Array.from({ length: heads * size }, (_, at) => {
    const [head, i] = [Math.floor(at / size), at % size];
    return map[head * size + (i % a) * b + Math.floor(i / a)]!;
  });
}

/** MSSA in float64, and its gradients: attention of projected tokens among themselves, between products along memory. */
export function mssaRows(
  sizes: MssaSizes,
  given: {
    readonly tokens: ArrayLike<number>;
    readonly subspaces: ArrayLike<number>;
    /** Absent: tied. */
    readonly output: ArrayLike<number> | undefined;
    /** `[batch, heads, past, headDim]`. */
    readonly past?: ArrayLike<number> | undefined;
    readonly causal: boolean;
    readonly dOutput: ArrayLike<number> | undefined;
  },
) {
  const { batch, dim, heads, headDim, past = 0 } = sizes;
  const time = past + sizes.tokens;
  const { tokens, subspaces, output, causal, dOutput } = given;
  const size = batch * heads * time * headDim;
  // As the subspaces lie: a row of channels of a head for each channel of a token.
  const back = output === undefined ? subspaces : turned(output, heads, headDim, dim);
  const [projected, dMixed] = [new Float64Array(size), new Float64Array(size)];
  const rows = time * headDim;
  if (given.past) {
    const before = past * headDim;
    for (let i = 0; i < given.past.length; i++) projected[Math.floor(i / before) * rows + (i % before)] = given.past[i]!;
  }
  alongMaps(sizes, (row, at, map) => {
    projected[at]! += tokens[row]! * subspaces[map]!;
    if (dOutput !== undefined) dMixed[at]! += dOutput[row]! * back[map]!;
  });
  const { output: mixed, ...received } = attentionRows(
    { batch, heads, time, headDim },
    { query: projected, key: projected, value: projected, bias: undefined, causal, dOutput: dOutput && dMixed },
  );
  const dProjected = mixed.map((_, i) => received.dQuery[i]! + received.dKey[i]! + received.dValue[i]!);
  const [denoised, dTokens] = [new Float64Array(tokens.length), new Float64Array(tokens.length)];
  const [dSubspaces, dBack] = [new Float64Array(subspaces.length), new Float64Array(subspaces.length)];
  alongMaps(sizes, (row, at, map) => {
    denoised[row]! += mixed[at]! * back[map]!;
    if (dOutput === undefined) return;
    dTokens[row]! += dProjected[at]! * subspaces[map]!;
    dSubspaces[map]! += dProjected[at]! * tokens[row]!;
    dBack[map]! += dOutput[row]! * mixed[at]!;
  });
  const dPast = dProjected.filter((_, i) => i % rows < past * headDim);
  if (output === undefined)
    return { denoised, dTokens, dSubspaces: dSubspaces.map((x, i) => x + dBack[i]!), dOutput: undefined, dPast };
  return { denoised, dTokens, dSubspaces, dOutput: turned(dBack, heads, dim, headDim), dPast };
}
