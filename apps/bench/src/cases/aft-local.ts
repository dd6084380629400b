import { aftLocal, aftLocalBandedOperator, aftLocalState, aftLocalStep, disposeState } from '@mixfold/aft';
import { implementationOf } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant, Measurement } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { stockAftLocal, stockBandedAftLocal, windowMask } from './stock-aft-local';

const [windowSize, dim] = [32, 256];
const width = 2 * windowSize - 1;

interface LocalInputs {
  readonly sources: readonly [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  readonly band: tf.Tensor2D;
  readonly dy: tf.Tensor3D;
}

function inputsOf(time: number, channels = dim): LocalInputs {
  const draw = (seed: number) => tf.randomNormal<tf.Rank.R3>([1, time, channels], 0, 1, 'float32', seed);
  return {
    sources: [draw(1), draw(2), draw(3)],
    band: tf.randomNormal([time, width], 0, 0.5, 'float32', 5),
    dy: draw(4),
  };
}

const ours = (...[query, key, value, band]: tf.Tensor[]) =>
  aftLocal(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, { band: band as tf.Tensor2D }, { windowSize });

type Mix = (...inputs: tf.Tensor[]) => tf.Tensor;

const forward =
  (mix: Mix, { sources, band }: LocalInputs) =>
  () =>
    tf.tidy(() => void mix(...sources, band));

function both(mix: Mix, { sources, band, dy }: LocalInputs): () => void {
  const gradients = tf.grads(mix);
  return () => tf.dispose(gradients([...sources, band], dy));
}

/** Time over length, and over what stands outside the window, is a line. */
export const aftLocalCase: BenchCase = {
  name: 'aft-local',
  about: `AFT-local: B 1, T 2048 and 4096, s ${windowSize}, d ${dim}, the bias a band`,
  async prepare(): Promise<Contest> {
    await useOurKernels('relaxed');
    const enter = () => useOurKernels('relaxed');
    const lengths = [2048, 4096].map((time) => ({ time, inputs: inputsOf(time) }));
    const shape = [1, 4096, dim];
    const { form, backend, build } = implementationOf(aftLocalBandedOperator, { query: shape, key: shape, value: shape });
    const ourForm = `${form} ${backend} ${build ?? ''}`.trim();
    const contestants: Contestant[] = lengths.flatMap(({ time, inputs }) => [
      { name: `forward, T ${time}`, form: ourForm, enter, run: forward(ours, inputs) },
      { name: `forward + backward, T ${time}`, form: ourForm, enter, run: both(ours, inputs) },
    ]);
    return {
      contestants,
      check: checkOurs,
      targets: (medians) => [
        {
          text: 'forward + backward, T 4096 over T 2048',
          value: medians('forward + backward, T 4096') / medians('forward + backward, T 2048'),
          atMost: 2.2,
        },
      ],
      dispose: () => {
        for (const { inputs } of lengths) tf.dispose([...inputs.sources, inputs.band, inputs.dy]);
      },
    };
  },
};

/** Ours against the loop over the band's columns, which is exact where biases are small, at a length that it takes quickly. */
async function checkOurs(): Promise<void> {
  const { sources, band, dy } = inputsOf(256, 16);
  const inputs = [...sources, band];
  const results: tf.Tensor[][] = [];
  for (const [enter, mix] of [
    [() => useOurKernels('relaxed'), ours] as const,
    [useStockKernels, stockBandedAftLocal as Mix] as const,
  ]) {
    await enter();
    results.push([mix(...inputs), ...tf.grads(mix)(inputs, dy)]);
  }
  for (const [i, name] of ['output', 'query gradient', 'key gradient', 'value gradient', 'bias gradient'].entries()) {
    const [actual, expected] = await Promise.all(results.map((result) => result[i]!.data()));
    assertNear(`the ${name}`, actual!, expected!, i === 0 ? 2e-6 : 2e-5);
  }
  tf.dispose([results, inputs, dy]);
}

/** Turn about; the composition once, for it takes seconds. */
export const aftLocalStockCase: BenchCase = {
  name: 'stock-aft-local',
  about: `AFT-local against tfjs ops: B 1, T 4096, s ${windowSize}, d ${dim}, forward + backward, few runs`,
  onlyFull: true,
  async measure(): Promise<Measurement> {
    await checkOurs();
    const time = 4096;
    const { sources, band, dy } = inputsOf(time);
    const table = tf.randomNormal([time, time], 0, 0.5, 'float32', 6);
    const mask = windowMask(time, windowSize);
    const dense: Mix = (query, key, value, bias) => stockAftLocal(query!, key!, value!, bias!, mask);
    const run = (mix: Mix, bias: tf.Tensor) => () => tf.dispose(tf.grads(mix)([...sources, bias], dy));
    const contestants = [
      { name: 'ours', form: 'fused wasm relaxed', rounds: 3, enter: () => useOurKernels('relaxed'), run: run(ours, band) },
      {
        name: 'tfjs, two products of matrices',
        form: 'stock tfjs-wasm',
        rounds: 1,
        enter: useStockKernels,
        run: run(dense, table),
      },
    ];
    const samples = contestants.map((): number[] => []);
    for (let round = 0; round < 3; round++) {
      for (const [i, contestant] of contestants.entries()) {
        if (round >= contestant.rounds) continue;
        await contestant.enter();
        const start = performance.now();
        contestant.run();
        samples[i]!.push(performance.now() - start);
      }
    }
    tf.dispose([...sources, band, dy, table, mask]);
    const medians = samples.map((times) => times.sort((a, b) => a - b)[times.length >> 1]!);
    return {
      rows: contestants.map(({ name, form }, i) => ({ name, form, value: `median ${medians[i]!.toFixed(1)} ms` })),
      targets: [{ text: 'forward + backward, ours over tfjs', value: medians[1]! / medians[0]!, atLeast: 10 }],
    };
  },
};

/** Kernel time of a decode step, after few tokens and after many. */
export const aftLocalStepCase: BenchCase = {
  name: 'aft-local-step',
  about: `a step of AFT-local: B 1, s ${windowSize}, d 512, kernel time`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const channels = 512;
    const [early, late] = [100, 10_000];
    const band = tf.randomNormal<tf.Rank.R2>([late + 400, width]);
    const token = tf.randomNormal<tf.Rank.R2>([1, channels]);
    const begin = () => aftLocalState({ batch: 1, dim: channels, windowSize });
    const times: number[] = [];
    let state = begin();
    const advance = async (isTimed: boolean) => {
      const step = () => aftLocalStep(token, token, token, { band }, state);
      let made: ReturnType<typeof step>;
      if (isTimed) {
        const { kernels } = await tf.profile(() => (made = step()).output);
        times.push(await (kernels.find(({ name }) => name.includes('AftLocal'))!.kernelTimeMs as number | Promise<number>));
      } else made = step();
      made!.output.dispose();
      disposeState(state);
      state = made!.state;
    };
    // A generation runs thousands of steps; the first few hundred are those of code that is not compiled yet.
    for (let position = 0; position < 2000; position++) await advance(true);
    disposeState(state);
    state = begin();
    times.length = 0;
    for (let position = 0; position < late + 300; position++) await advance(position < early + 300 || position >= late);
    disposeState(state);
    tf.dispose([band, token]);
    const median = (all: number[]) => 1000 * all.sort((a, b) => a - b)[all.length >> 1]!;
    const [first, last] = [median(times.slice(early, early + 300)), median(times.slice(-300))];
    return {
      rows: [
        { name: `after ${early} tokens`, form: 'fused wasm relaxed', value: `median ${first.toFixed(1)} us` },
        { name: `after ${late} tokens`, form: 'fused wasm relaxed', value: `median ${last.toFixed(1)} us` },
      ],
      targets: [
        { text: `a step after ${late} tokens, microseconds`, value: last, atMost: 30 },
        { text: `after ${late} tokens over after ${early}`, value: last / first, atMost: 1.2 },
      ],
    };
  },
};
