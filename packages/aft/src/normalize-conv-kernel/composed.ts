import { add, div, mean, mul, reshape, sqrt, square, sub, sum, type Tensor } from '@tensorflow/tfjs-core';

const byHead = (kernel: Tensor): Tensor => {
  const heads = kernel.shape[0]!;
  return reshape(kernel, [heads, kernel.size / heads]);
};

const column = (x: Tensor): Tensor => reshape(x, [x.size, 1]);

/** Taps with mean 0 and about variance 1, `[heads, taps]`, and the deviation, `[heads, 1]`. */
function normalised(kernel: Tensor, epsilon: number): { taps: Tensor; deviation: Tensor } {
  const taps = byHead(kernel);
  const centered = sub(taps, mean(taps, 1, true));
  const deviation = sqrt(add(mean(square(centered), 1, true), epsilon));
  return { taps: div(centered, deviation), deviation };
}

export function composedNormalize(
  { kernel, gain, bias }: { kernel: Tensor; gain: Tensor; bias: Tensor },
  { epsilon }: { epsilon: number },
): Record<string, Tensor> {
  const { taps } = normalised(kernel, epsilon);
  return { output: reshape(add(mul(taps, column(gain)), column(bias)), kernel.shape) };
}

export function composedNormalizeBackward(
  { kernel, gain, dOutput }: { kernel: Tensor; gain: Tensor; dOutput: Tensor },
  { epsilon }: { epsilon: number },
): Record<string, Tensor> {
  const { taps, deviation } = normalised(kernel, epsilon);
  const received = byHead(dOutput);
  const weighed = mul(received, taps);
  const centered = sub(sub(received, mean(received, 1, true)), mul(taps, mean(weighed, 1, true)));
  return {
    dKernel: reshape(mul(centered, div(column(gain), deviation)), kernel.shape),
    dGain: sum(weighed, 1),
    dBias: sum(received, 1),
  };
}
