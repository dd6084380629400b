import { type Array64, checkOptions, checkTensor, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { expandDims, type Tensor, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import { mssaAttention } from '../../mssa/mssa-attention';
import { attentionEntropy, selfWeight } from '../attention-maps';
import type { RateOptions } from '../coding-rate';
import { asBatch, parts, readValues } from '../read-values';
import type { LayerRecord } from './layer-record';
import { recordModel, type TracedModel } from './record-model';
import { FigureMeter, type TokenFigures } from './token-figures';

/** How a trace measures. */
export interface TraceOptions extends Partial<RateOptions> {
  /** The subspace of each token, if the truth is known: one per token of a sample, or of all samples. Without them the signal-to-noise ratio is a proxy. */
  readonly labels?: ArrayLike<number> | undefined;
}

/** What one layer did, in plain numbers. */
export interface LayerTrace {
  readonly name: string;
  /** `[batch, tokens, dim]`, as they entered the layer; 0 where they are masked. */
  readonly tokens: Array64;
  /** `[batch, heads, target, source]`; rows of masked tokens are 0. */
  readonly maps: Array64;
  /** Mean weight of a token on itself, by head. */
  readonly selfWeight: number[];
  /** Mean entropy of a token's weights in nats, by head. */
  readonly attentionEntropy: number[];
  /** Of the tokens that entered the layer. */
  readonly before: TokenFigures;
  /** Of the tokens that left it, by the same subspaces; undefined where the record has no output. */
  readonly after: TokenFigures | undefined;
  /** Whether the signal-to-noise ratios are proxies, for want of labels. */
  readonly isProxy: boolean;
}

/**
 * Follows tokens through the layers of a model: attention maps, coding rates, signal-to-noise ratios, ranks. For all kinds of model that subspace attention stands in.
 *
 * @param source - a tf.layers model of our blocks and an input for it, `{model, input}`; or records of any model's layers, as `{tokens, subspaces, ...}`.
 * @param options - `epsilonSquared` (default 0.25) and `normalize` (default `'token'`) of the rates; `labels`, if the truth is known.
 * @returns One entry per layer, in order, in plain numbers that hold no tensor. The given tensors are not disposed. `tracePage` draws it.
 * @throws ShapeError; DTypeError, also for numbers that are not finite; OptionError for a model without layers that tell what they do.
 * @remarks Every layer is measured by its own subspaces, before and after: rates and ratios of one layer compare, those of two layers are by different subspaces. Masked tokens are
 *   left out. Rates of tokens as they are (`normalize: 'none'`) rise while layers denoise: see `codingRate`. It reads everything back, maps included:
 *   O(batch heads tokens^2) memory per layer.
 * @example
 * const trace = await traceLayers({ model, input });
 * await writeFile('trace.html', tracePage(trace));
 */
export async function traceLayers(
  source: readonly LayerRecord[] | { readonly model: TracedModel; readonly input: Tensor | Tensor[] },
  options: TraceOptions = {},
): Promise<LayerTrace[]> {
  checkOptions('traceLayers', options, { epsilonSquared: 'positive', normalize: ['token', 'none'], labels: 'unchecked' });
  if (isModel(source)) {
    const { records, free } = recordModel(source.model, source.input);
    try {
      return await traced(records, options);
    } finally {
      free();
    }
  }
  if (!Array.isArray(source)) {
    throw new OptionError('traceLayers: give {model, input}, or an array of records {tokens, subspaces, ...}');
  }
  return traced(source, options);
}

function isModel(source: unknown): source is { model: TracedModel; input: Tensor | Tensor[] } {
  return typeof source === 'object' && source !== null && 'model' in source && 'input' in source;
}

async function traced(records: readonly LayerRecord[], options: TraceOptions): Promise<LayerTrace[]> {
  const { epsilonSquared = 0.25, normalize = 'token', labels } = options;
  const meter = new FigureMeter({ epsilonSquared, normalize });
  const traces: LayerTrace[] = [];
  for (const [i, record] of records.entries()) traces.push(await traceOf(record, record.name ?? `layer ${i}`, labels, meter));
  return traces;
}

async function traceOf(
  record: LayerRecord,
  name: string,
  labels: ArrayLike<number> | undefined,
  meter: FigureMeter,
): Promise<LayerTrace> {
  const call = `traceLayers, ${name}`;
  checkShapes(call, record);
  const subspaces = await readValues(call, 'subspaces', record.subspaces, ['heads dim headDim']);
  const { keyMask } = record.options ?? {};
  const isThere = keyMask ? Array.from(await keyMask.data(), (value) => value !== 0) : undefined;
  const tokens = await readTokens(call, 'tokens', record.tokens, isThere);
  const output = record.output && (await readTokens(call, 'output', record.output, isThere));
  const maps = await readMaps(call, record, isThere);
  const kept = labels && keptLabels(labels, tokens.shape, isThere);
  const places = [tokens, ...(output ? [output] : [])].map((values) => keptRows(values, isThere));
  const [before, after] = await meter.byLayer(places, subspaces, kept);
  return {
    name,
    tokens,
    maps,
    selfWeight: await selfWeight(maps),
    attentionEntropy: await attentionEntropy(maps),
    before: before!,
    after,
    isProxy: labels === undefined,
  };
}

function checkShapes(call: string, { tokens, attended, output }: LayerRecord): void {
  checkTensor(call, 'tokens', tokens, ['float32']);
  for (const [name, other] of Object.entries({ attended, output })) {
    if (other === undefined) continue;
    checkTensor(call, name, other, ['float32']);
    if (other.shape.join() !== tokens.shape.join()) {
      throw new ShapeError(
        `${call}: ${name} must have the shape of tokens, [${tokens.shape.join(', ')}], got [${other.shape.join(', ')}]`,
      );
    }
  }
}

/** `[batch, tokens, dim]`, with 0 for what is masked, for that may hold anything. */
async function readTokens(call: string, name: string, tensor: Tensor, isThere: readonly boolean[] | undefined): Promise<Array64> {
  const dim = tensor.shape.at(-1)!;
  const data = Float64Array.from(await tensor.data());
  for (const [row, there] of isThere?.entries() ?? []) if (!there) data.fill(0, row * dim, (row + 1) * dim);
  return asBatch(await readValues(call, name, { shape: tensor.shape, data }, ['tokens dim', 'batch tokens dim']));
}

async function readMaps(call: string, record: LayerRecord, isThere: readonly boolean[] | undefined): Promise<Array64> {
  const { output: _, ...options } = record.options ?? {};
  const attended = record.attended ?? record.tokens;
  const maps = tidy(() => {
    const batched = (attended.rank === 2 ? expandDims(attended, 0) : attended) as Tensor3D;
    return mssaAttention(batched, record.subspaces, options);
  });
  const { shape } = maps;
  const data = Float64Array.from(await maps.data());
  maps.dispose();
  const [, heads, count] = shape;
  for (const [row, there] of isThere?.entries() ?? []) {
    if (there) continue;
    const [sample, target] = [Math.floor(row / count), row % count];
    for (let head = 0; head < heads; head++) {
      const at = ((sample * heads + head) * count + target) * count;
      data.fill(0, at, at + count);
    }
  }
  return readValues(call, 'maps', { shape, data }, ['batch heads target source']);
}

/** The tokens of each sample that has some, without those that are masked. */
function keptRows(values: Array64, isThere: readonly boolean[] | undefined): Array64[] {
  const [, count, dim] = values.shape as [number, number, number];
  return parts(values)
    .map((sample, b) => {
      if (!isThere) return sample;
      const rows = Array.from({ length: count }, (_, t) => t).filter((t) => isThere[b * count + t]);
      const data = new Float64Array(rows.length * dim);
      for (const [to, from] of rows.entries()) data.set(sample.data.subarray(from * dim, (from + 1) * dim), to * dim);
      return { shape: [rows.length, dim], data };
    })
    .filter((sample) => sample.shape[0]! > 0);
}

function keptLabels(labels: ArrayLike<number>, shape: readonly number[], isThere: readonly boolean[] | undefined): number[] {
  const [batch, count] = shape as [number, number];
  if (labels.length !== count && labels.length !== batch * count) {
    throw new OptionError(
      `traceLayers: option labels must have one entry per token, ${count} or for all samples ${batch * count}, got ${labels.length}`,
    );
  }
  const all = Array.from({ length: batch * count }, (_, i) => labels[i % labels.length]!);
  return all.filter((_, i) => isThere?.[i] ?? true);
}
