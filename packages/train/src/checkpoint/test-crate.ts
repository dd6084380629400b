import type { SafeTensor } from './safetensors-format';

/** Sizes of a CRATE in the test. */
export interface CrateSizes {
  readonly imageSize: readonly [number, number];
  readonly patchSize: readonly [number, number];
  readonly channels: number;
  readonly classes: number;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  readonly headDim: number;
  readonly pooling: 'cls' | 'mean';
}

/** Names and shapes of the state dict of the public model. */
export function crateShapes({
  imageSize,
  patchSize,
  channels,
  classes,
  dim,
  layers,
  heads,
  headDim,
}: CrateSizes): [string, number[]][] {
  const length = patchSize[0] * patchSize[1] * channels;
  const places = (imageSize[0] / patchSize[0]) * (imageSize[1] / patchSize[1]) + 1;
  const inner = heads * headDim;
  const norm = (name: string, size: number): [string, number[]][] => [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
  const blocks = Array.from({ length: layers }, (_, i): [string, number[]][] => [
    ...norm(`transformer.layers.${i}.0.norm`, dim),
    [`transformer.layers.${i}.0.fn.qkv.weight`, [inner, dim]],
    ...((heads === 1 && headDim === dim
      ? []
      : [
          [`transformer.layers.${i}.0.fn.to_out.0.weight`, [dim, inner]],
          [`transformer.layers.${i}.0.fn.to_out.0.bias`, [dim]],
        ]) as [string, number[]][]),
    ...norm(`transformer.layers.${i}.1.norm`, dim),
    [`transformer.layers.${i}.1.fn.weight`, [dim, dim]],
  ]);
  return [
    ['pos_embedding', [1, places, dim]],
    ['cls_token', [1, 1, dim]],
    ...norm('to_patch_embedding.1', length),
    ['to_patch_embedding.2.weight', [dim, length]],
    ['to_patch_embedding.2.bias', [dim]],
    ...norm('to_patch_embedding.3', dim),
    ...blocks.flat(),
    ...norm('mlp_head.0', dim),
    ['mlp_head.1.weight', [classes, dim]],
    ['mlp_head.1.bias', [classes]],
  ];
}

type Rows = number[][];

/** The public model by loops in float64, from its formulas, on one image `[channels][height][width]` as PyTorch has it. */
export function crateLogits(tensors: ReadonlyMap<string, SafeTensor>, sizes: CrateSizes, image: number[][][]): number[] {
  const { imageSize, patchSize, channels, layers, heads, headDim, pooling } = sizes;
  const vector = (name: string) => [...tensors.get(name)!.data];
  const matrix = (name: string): Rows => {
    const { data, shape } = tensors.get(name)!;
    const columns = shape.at(-1)!;
    return Array.from({ length: data.length / columns }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
  };
  // A linear layer keeps [out, in].
  const linear = (rows: Rows, weight: Rows, bias?: number[]) =>
    rows.map((row) => weight.map((w, o) => w.reduce((sum, x, i) => sum + x * row[i]!, bias?.[o] ?? 0)));
  const norm = (rows: Rows, name: string) => {
    const [gain, bias] = [vector(`${name}.weight`), vector(`${name}.bias`)];
    return rows.map((row) => {
      const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      return row.map((x, i) => ((x - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + bias[i]!);
    });
  };

  const patches: Rows = [];
  for (let y = 0; y < imageSize[0]; y += patchSize[0]) {
    for (let x = 0; x < imageSize[1]; x += patchSize[1]) {
      const patch: number[] = [];
      for (let p1 = 0; p1 < patchSize[0]; p1++) {
        for (let p2 = 0; p2 < patchSize[1]; p2++) {
          for (let c = 0; c < channels; c++) patch.push(image[c]![y + p1]![x + p2]!);
        }
      }
      patches.push(patch);
    }
  }
  const embedded = linear(
    norm(patches, 'to_patch_embedding.1'),
    matrix('to_patch_embedding.2.weight'),
    vector('to_patch_embedding.2.bias'),
  );
  const positions = matrix('pos_embedding');
  let rows = [vector('cls_token'), ...norm(embedded, 'to_patch_embedding.3')].map((row, t) =>
    row.map((x, i) => x + positions[t]![i]!),
  );

  for (let layer = 0; layer < layers; layer++) {
    const [attention, sparse] = [`transformer.layers.${layer}.0`, `transformer.layers.${layer}.1`];
    const w = linear(norm(rows, `${attention}.norm`), matrix(`${attention}.fn.qkv.weight`));
    const mixed = w.map((query) => {
      const out: number[] = [];
      for (let h = 0; h < heads; h++) {
        const part = (row: number[]) => row.slice(h * headDim, (h + 1) * headDim);
        const scores = w.map((key) => part(key).reduce((sum, x, c) => sum + x * part(query)[c]!, 0) / Math.sqrt(headDim));
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const total = weights.reduce((sum, x) => sum + x, 0);
        for (let c = 0; c < headDim; c++) {
          out.push(w.reduce((sum, value, t) => sum + (weights[t]! / total) * value[h * headDim + c]!, 0));
        }
      }
      return out;
    });
    const hasOutput = tensors.has(`${attention}.fn.to_out.0.weight`);
    const out = hasOutput
      ? linear(mixed, matrix(`${attention}.fn.to_out.0.weight`), vector(`${attention}.fn.to_out.0.bias`))
      : mixed;
    const middle = norm(
      rows.map((row, t) => row.map((x, i) => x + out[t]![i]!)),
      `${sparse}.norm`,
    );
    // D^T x - D^T D x for a token as a column, where D is the weight: linear with the weight transposed is D^T.
    const dictionary = matrix(`${sparse}.fn.weight`);
    const transposed = dictionary.map((_, i) => dictionary.map((row) => row[i]!));
    const [once, twice] = [linear(middle, transposed), linear(linear(middle, dictionary), transposed)];
    rows = middle.map((row, t) => row.map((x, i) => Math.max(0, x + 0.1 * (once[t]![i]! - twice[t]![i]!) - 0.1 * 0.1)));
  }
  const pooled =
    pooling === 'mean' ? rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length) : rows[0]!;
  return linear(norm([pooled], 'mlp_head.0'), matrix('mlp_head.1.weight'), vector('mlp_head.1.bias'))[0]!;
}
