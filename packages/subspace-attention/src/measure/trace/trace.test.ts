import { inflateSync } from 'node:zlib';
import { layerNorm } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { AttentionOnlyBlock, CrateBlock, SubspaceAttention } from '../../layers/index';
import { mssa } from '../../mssa/mssa';
import { mssaAttention } from '../../mssa/mssa-attention';
import { sampleMixture } from '../../theory/index';
import { attentionEntropy, codingRateGiven, effectiveRank, selfWeight, signalToNoise } from '../index';
import { attentionPicture } from './attention-picture';
import { lineChart } from './line-chart';
import { type LayerTrace, traceLayers } from './trace-layers';
import { tracePage } from './trace-page';

describeBackends(
  'traceLayers',
  () => {
    const drawn = (seed: number, ...shape: [number, number, number]) =>
      tensorOf<tf.Tensor3D>(new SeededRandom(seed).normals(shape));

    test('follows a model in functions: the theorem raises the ratio by 1 + eta tau, and R^c of normalised tokens falls', async () => {
      const mixture = sampleMixture({ tokens: 24, dim: 80, headDim: 40, heads: 2, noise: 0.05 });
      const [tokens, subspaces] = [mixture.tokens, mixture.subspaces].map(({ shape, data }) =>
        tf.tensor(Float32Array.from(data), [...shape]),
      );
      const records = [];
      let x = tokens as tf.Tensor2D;
      for (let layer = 0; layer < 2; layer++) {
        const step = mssa(tf.expandDims(x, 0), subspaces as tf.Tensor3D, { phi: { threshold: 0.9 } });
        const output = tf.add(x, tf.mul(0.1, tf.squeeze(step, [0]))) as tf.Tensor2D;
        records.push({ tokens: x, output, subspaces: subspaces as tf.Tensor3D, options: { phi: { threshold: 0.9 } } });
        x = output;
      }
      const before = tf.memory().numTensors;
      const trace = await traceLayers(records, { labels: mixture.labels });
      expect(tf.memory().numTensors).toBe(before);
      expect(trace.map(({ name }) => name)).toEqual(['layer 0', 'layer 1']);
      for (const [layer, { before: entering, after, isProxy, maps, selfWeight: own }] of trace.entries()) {
        expect(after!.signalToNoise / entering.signalToNoise).toBeCloseTo(1.09, 4);
        expect(after!.codingRateGiven).toBeLessThan(entering.codingRateGiven);
        expect(entering.signalToNoiseControl).toBeUndefined();
        expect(isProxy).toBe(false);
        expect(maps.shape).toEqual([1, 2, 24, 24]);
        // A token counts in its own head alone, so half of the rows are empty.
        for (const weight of own) expect(weight).toBeCloseTo(0.9, 6);
        if (layer > 0) expect(entering.signalToNoise).toBeCloseTo(trace[layer - 1]!.after!.signalToNoise, 10);
      }
      const raw = await traceLayers(records.slice(0, 1), { labels: mixture.labels, normalize: 'none' });
      expect(raw[0]!.after!.codingRateGiven).toBeGreaterThan(raw[0]!.before.codingRateGiven);
    });

    test('takes a model of our layers, with masks and nested models, and gives what its measures say', async () => {
      const ids = tf.tensor2d([1, 2, 3, 0, 3, 1, 2, 2], [2, 4], 'int32');
      const embedding = tfl.layers.embedding({ inputDim: 4, outputDim: 6, maskZero: true, inputShape: [4] });
      const inner = tfl.sequential({
        layers: [new CrateBlock({ heads: 2, name: 'crate', inputShape: [4, 6], qkNorm: true, output: 'untied' })],
      });
      const block = new AttentionOnlyBlock({ heads: 3, name: 'block', causal: true, maskSelf: true });
      const model = tfl.sequential({ layers: [embedding, block, inner, tfl.layers.dense({ units: 2 })] });
      const before = tf.memory().numTensors;
      const trace = await traceLayers({ model, input: ids });
      expect(tf.memory().numTensors).toBe(before);
      expect(trace.map(({ name }) => name)).toEqual(['block', 'crate']);
      const [first, second] = trace as [LayerTrace, LayerTrace];
      const keyMask = tf.notEqual(ids, 0);
      const x = tf.gather(embedding.getWeights()[0]!, ids);
      const kept = tf.mul(x, tf.expandDims(tf.cast(keyMask, 'float32'), 2)) as tf.Tensor3D;
      await assertClose('tokens', kept, { shape: [2, 4, 6], data: first.tokens.data }, { relative: 1e-6 });
      const [subspaces, gain, bias] = block.getWeights() as [tf.Tensor3D, tf.Tensor1D, tf.Tensor1D];
      const maps = mssaAttention(layerNorm(x, gain, bias) as tf.Tensor3D, subspaces, { causal: true, maskSelf: true, keyMask });
      const rows = tf.mul(maps, tf.reshape(tf.cast(keyMask, 'float32'), [2, 1, 4, 1]));
      await assertClose('maps', rows, { shape: [2, 3, 4, 4], data: first.maps.data }, { relative: 1e-6 });
      expect(first.selfWeight).toEqual([0, 0, 0]);
      expect(first.attentionEntropy).toEqual(await attentionEntropy(rows));
      // The padded token of the first sample has no part.
      const samples = [tf.slice(kept, [0, 0, 0], [1, 3, 6]), tf.slice(kept, [1, 0, 0], [1, 4, 6])].map(
        (sample) => tf.squeeze(sample, [0]) as tf.Tensor2D,
      );
      const rates = await Promise.all(samples.map((sample) => codingRateGiven(sample, subspaces, { epsilonSquared: 0.25 })));
      expect(first.before.codingRateGiven).toBeCloseTo((rates[0]! + rates[1]!) / 2, 6);
      const ranks = (await Promise.all(samples.map(effectiveRank))) as number[];
      expect(first.before.effectiveRank).toBeCloseTo((ranks[0]! + ranks[1]!) / 2, 6);
      expect(first.before.rateReduction).toBeCloseTo(first.before.codingRate - first.before.codingRateGiven, 12);
      const { overall } = await signalToNoise(tf.concat(samples), subspaces);
      expect(first.before.signalToNoise).toBeCloseTo(overall, 5);
      expect(first.isProxy).toBe(true);
      expect(first.before.signalToNoiseControl).toBeGreaterThan(0);
      expect(second.after!.sparsity).toBeGreaterThan(0);
      // The hooks are gone: another call leaves nothing behind.
      const calls = tf.memory().numTensors;
      tf.dispose(model.predict(ids));
      expect(tf.memory().numTensors).toBe(calls);
      model.dispose();
      inner.dispose();
    });

    test('sees a layer as often as it runs, and puts the hook of a user back', async () => {
      const input = tfl.input({ shape: [3, 4] });
      const shared = new SubspaceAttention({ heads: 2 });
      const output = shared.apply(shared.apply(input)) as tfl.SymbolicTensor;
      const model = tfl.model({ inputs: input, outputs: output });
      let calls = 0;
      shared.setCallHook(() => calls++);
      const trace = await traceLayers({ model, input: drawn(3, 2, 3, 4) });
      expect(trace).toHaveLength(2);
      const weights = await selfWeight(mssaAttention(drawn(3, 2, 3, 4), shared.getWeights()[0] as tf.Tensor3D));
      for (const [head, weight] of trace[0]!.selfWeight.entries()) expect(weight).toBeCloseTo(weights[head]!, 6);
      expect(calls).toBe(0);
      tf.dispose(model.predict(drawn(4, 1, 3, 4)));
      expect(calls).toBe(2);
      model.dispose();
      shared.dispose();
    });

    test('what is masked may hold anything', async () => {
      const [tokens, subspaces] = [drawn(5, 1, 4, 6), drawn(6, 2, 6, 3)];
      const keyMask = tf.tensor2d([[1, 1, 0, 1]]);
      const hole = tf.reshape(keyMask, [1, 4, 1]);
      const spoilt = tf.where(tf.cast(tf.tile(hole, [1, 1, 6]), 'bool'), tokens, tf.fill([1, 4, 6], Number.NaN)) as tf.Tensor3D;
      const [clean, lost] = await Promise.all(
        [tokens, spoilt].map((x) => traceLayers([{ tokens: x, output: x, subspaces, options: { keyMask } }])),
      );
      expect(lost).toEqual(clean);
      expect(Array.from(lost![0]!.tokens.data.subarray(12, 18))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(lost![0]!.after).toEqual(lost![0]!.before);
    });

    test('refuses what it cannot trace', async () => {
      const [tokens, subspaces] = [drawn(1, 2, 3, 4), drawn(2, 2, 4, 2)];
      const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [2] })] });
      await expect(traceLayers({ model, input: tf.ones([1, 2]) })).rejects.toThrow(
        'traceLayers: the model has no SubspaceAttention, AttentionOnlyBlock or CrateBlock',
      );
      await expect(traceLayers(model as never)).rejects.toThrow('traceLayers: give {model, input}, or an array of records');
      await expect(traceLayers([{ tokens, subspaces, output: drawn(1, 2, 3, 5) }])).rejects.toThrow(
        'traceLayers, layer 0: output must have the shape of tokens, [2, 3, 4], got [2, 3, 5]',
      );
      await expect(traceLayers([{ subspaces } as never])).rejects.toThrow('traceLayers, layer 0: tokens must be a Tensor');
      await expect(traceLayers([{ tokens, subspaces }], { labels: [0, 1] })).rejects.toThrow(
        'traceLayers: option labels must have one entry per token, 3 or for all samples 6, got 2',
      );
      await expect(traceLayers([{ tokens, subspaces }], { epsilon: 1 } as never)).rejects.toThrow(
        "traceLayers: unknown option 'epsilon'",
      );
      await expect(traceLayers([{ tokens: tf.fill([2, 3, 4], Number.NaN), subspaces }] as never)).rejects.toThrow(
        'traceLayers, layer 0: tokens must hold finite numbers, got NaN',
      );
      expect(await traceLayers([])).toEqual([]);
      model.dispose();
    });
  },
  { only: ['cpu'] },
);

describe('tracePage', () => {
  const figures = {
    codingRate: 12,
    codingRateGiven: 3.25,
    rateReduction: 8.75,
    signalToNoise: 1.5,
    effectiveRank: 4,
    sparsity: 0,
  };
  const layer = (name: string, more: Partial<LayerTrace> = {}): LayerTrace => ({
    name,
    tokens: { shape: [2, 5, 3], data: new Float64Array(30) },
    maps: { shape: [2, 3, 5, 5], data: Float64Array.from({ length: 150 }, (_, i) => (i % 6 === 0 ? 1 : 0)) },
    selfWeight: [0.1, 0.2, Number.NaN],
    attentionEntropy: [1, 1.5, 0],
    before: { ...figures, signalToNoiseControl: 0.5 },
    after: { ...figures, codingRateGiven: 2.125 },
    isProxy: true,
    ...more,
  });

  test('shows charts, figures and a picture of every map, and loads nothing', () => {
    const page = tracePage([layer('first'), layer('second', { after: undefined })], { title: 'A & B', note: 'step 3' });
    expect(page).toMatch(/^<!doctype html>/);
    expect(page.match(/<svg /g)).toHaveLength(6);
    expect(page.match(/<img class="map"/g)).toHaveLength(6);
    expect(page).toContain('<td>3.25 → 2.13</td>');
    expect(page).toContain('<td>second</td><td>12</td><td>3.25</td>');
    expect(page).toContain('head 2, self –, entropy 0');
    expect(page).toContain('is a <b>proxy</b>');
    expect(page).toContain('SNR (proxy)');
    expect(page).toContain('<h1>A &amp; B</h1>');
    expect(page).toContain('<p>step 3</p>');
    expect(page).not.toMatch(/https?:|<script|<link|src="(?!data:)/);
    const known = tracePage([layer('first', { isProxy: false })]);
    expect(known).not.toContain('proxy');
  });

  test('shows what the class token attends to as patches', () => {
    const page = tracePage([layer('first')], { grid: [2, 2], sample: 1 });
    expect(page.match(/<img class="patches" src="[^"]+" width="2" height="2"/g)).toHaveLength(3);
    expect(page).toContain('what the first token attends to, as a picture of 2 by 2 patches');
    expect(tracePage([layer('first')], { grid: [1, 5] })).toContain('what tokens attend to on average, as a picture of 1 by 5');
  });

  test('shows what the user named as text', () => {
    const bad = `"><script>alert('x')</script>`;
    const page = tracePage([layer(bad)], { title: bad, note: bad });
    expect(page).not.toContain('<script');
    expect(page.split('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;').length).toBeGreaterThan(4);
  });

  test('a page of no layers is a page', () => {
    expect(tracePage([])).toContain('</html>');
  });

  test('refuses a sample or a grid that is not there', () => {
    expect(() => tracePage([layer('first')], { sample: 2 })).toThrow(
      "tracePage: option sample is 2, but 'first' has 2 samples, from 0",
    );
    expect(() => tracePage([layer('first')], { grid: [2, 3] })).toThrow(
      "tracePage: option grid has 6 patches, but 'first' has 5 tokens",
    );
    expect(() => tracePage([layer('first')], { grid: [2] as never })).toThrow('option grid must be two integers above 0');
    expect(() => tracePage([], { titel: 'x' } as never)).toThrow("tracePage: unknown option 'titel'");
  });

  /** The pixels of a PNG as places in its palette, by Node's inflater, which checks the sum. */
  const pixelsOf = (url: string) => {
    const bytes = Buffer.from(url.slice('data:image/png;base64,'.length), 'base64');
    const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    let data: Buffer | undefined;
    for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
      if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') data = bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at));
    }
    const rows = inflateSync(data!);
    return Array.from({ length: height }, (_, y) => [...rows.subarray(y * (width + 1) + 1, (y + 1) * (width + 1))]);
  };

  test('pictures are the roots of the weights over the largest', () => {
    expect(pixelsOf(attentionPicture(Float64Array.of(0, 0.5, 0.125, 0.5, 0, 0), 2, 3).url)).toEqual([
      [0, 255, 128],
      [255, 0, 0],
    ]);
    expect(pixelsOf(attentionPicture(new Float64Array(1), 1, 1).url)).toEqual([[0]]);
  });

  test('pictures of large maps are averages of as many weights per pixel', () => {
    const identity = Float64Array.from({ length: 300 * 300 }, (_, i) => (i % 301 === 0 ? 1 : 0));
    const pixels = pixelsOf(attentionPicture(identity, 300, 300).url);
    expect([pixels.length, pixels[0]!.length]).toEqual([128, 128]);
    for (const [y, row] of pixels.entries()) {
      expect(row[y]).toBeGreaterThan(150);
      expect(row[(y + 64) % 128]).toBe(0);
    }
  });

  test('charts put points where they belong, and leave out what is not finite', () => {
    const points = [
      [0, 10],
      [1, 20],
      [2, Number.POSITIVE_INFINITY],
    ] as const;
    const svg = lineChart({ title: 'T', xLabel: 'x', end: 2, series: [{ label: 'a<b', colour: 'red', kind: 'line', points }] });
    expect(svg).toContain('<path d="M52 188L222 34" fill="none" stroke="red"');
    expect(svg).toContain('<title>a&lt;b: 20</title>');
    expect(svg.match(/<circle [^>]*><title>/g)).toHaveLength(2);
  });
});
