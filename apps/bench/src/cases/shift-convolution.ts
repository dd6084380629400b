import { causalOffsets, shift, shiftConvolution, shiftConvolutionDepthwise } from '@mixfold/positional-shift';
import { matMul, type WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakFlops, peakProbes, runPeak } from '../register-peak';

const [time, width, terms, long] = [1024, 256, 9, 65536];
const offsets = causalOffsets(terms);
const nearCopy = 'copy, short';

/** A convolution over nine shifts against the product that it is, and its depthwise form against a copy of its input. */
export const shiftConvolutionCase: BenchCase = {
  name: 'shift-convolution-rate',
  about: `${terms} shifts of [${time}, ${width}] to ${width}, and depthwise of [${long}, ${width}] and of [${time}, ${width}], relaxed, one thread`,
  prepare: async () => prepare(),
};

function prepare(): Contest {
  const x = tf.randomNormal<tf.Rank.R3>([1, time, width], 0, 1, 'float32', 1);
  const theta = tf.randomNormal<tf.Rank.R3>([terms, width, width], 0, 1, 'float32', 2);
  const received = tf.randomNormal<tf.Rank.R3>([1, time, width], 0, 1, 'float32', 3);
  const [sequence, taps] = [tf.randomNormal<tf.Rank.R3>([1, long, width]), tf.randomNormal<tf.Rank.R2>([terms, width])];
  // The product of the same size, whose left factor is what the convolution never makes.
  const copies = tf.tidy(() =>
    tf.reshape(
      tf.concat(
        offsets.map((d) => shift(x, d)),
        2,
      ),
      [time, terms * width],
    ),
  );
  const matrix = tf.reshape(theta, [terms * width, width]);
  const flops = 2 * time * terms * width * width;
  const [from, to] = [new Float32Array(long * width).fill(1), new Float32Array(long * width)];

  const [near, nearTo] = [from.subarray(0, time * width), to.subarray(0, time * width)];
  const depthwiseFlops = 2 * terms * time * width;

  const enter = () => useOurKernels('relaxed');
  const backend = tf.backend() as unknown as WasmBackend;
  const convolve = (a: tf.Tensor, b: tf.Tensor) => shiftConvolution(a as tf.Tensor3D, b as tf.Tensor3D, { offsets });
  const gradients = () => tf.valueAndGrads((a, b) => convolve(a!, b!))([x, theta], received);
  const fused = 'fused wasm relaxed';
  const contestants: Contestant[] = [
    { name: 'product', form: 'wasm relaxed', flops, enter, run: () => matMul(copies, matrix).dispose() },
    { name: 'forward', form: fused, flops, enter, run: () => convolve(x, theta).dispose() },
    { name: 'forward + backward', form: fused, flops: 3 * flops, enter, run: () => tf.tidy(() => void gradients()) },
    { name: 'copy', form: 'to elsewhere', enter: () => {}, run: () => to.set(from), isLimit: true },
    { name: 'depthwise', form: fused, enter, run: () => shiftConvolutionDepthwise(sequence, taps, { offsets }).dispose() },
    { name: nearCopy, form: 'to elsewhere', enter: () => {}, run: () => nearTo.set(near), isLimit: true },
    {
      name: 'depthwise, short',
      form: fused,
      flops: depthwiseFlops,
      enter,
      run: () => shiftConvolutionDepthwise(x, taps, { offsets }).dispose(),
    },
    ...peakProbes.map((name) => ({
      name,
      form: 'arithmetic in registers, wasm relaxed',
      flops: depthwiseFlops,
      enter,
      run: () => runPeak(backend, name, depthwiseFlops / peakFlops(name, 1)),
      isLimit: true,
    })),
  ];
  return {
    contestants,
    async check() {
      await enter();
      const { value, grads } = gradients();
      const expected = [matMul(copies, matrix), matMul(copies, tf.reshape(received, [time, width]), { transposeA: true })];
      assertNear('output', await value.data(), await expected[0]!.data(), 1e-6);
      assertNear('dTheta', await grads[1]!.data(), await expected[1]!.data(), 1e-6);
      tf.dispose([value, grads, expected]);
    },
    targets(medians) {
      const product = medians('product');
      const backward = medians('forward + backward') - medians('forward');
      const arithmetic = Math.min(...peakProbes.map(medians));
      return [
        { text: 'forward, of the rate of a product', value: product / medians('forward'), atLeast: 0.85 },
        { text: 'backward, of the rate of a product', value: (2 * product) / backward, atLeast: 0.75 },
        { text: 'depthwise, of a copy', value: medians('copy') / medians('depthwise'), atLeast: 0.5 },
        {
          text: 'depthwise, short, of the slower of a copy and its arithmetic in registers',
          value: Math.max(medians(nearCopy), arithmetic) / medians('depthwise, short'),
          atLeast: 0.5,
        },
      ];
    },
    dispose: () => tf.dispose([x, theta, received, sequence, taps, copies, matrix]),
  };
}
