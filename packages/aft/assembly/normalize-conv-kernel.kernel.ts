// A kernel normalised head by head, and its gradients. Kernels are small, so sums are in float64 and one number at a time.

// @ts-ignore: decorator
@inline
function at(tensor: usize, index: i32): f64 {
  return load<f32>(tensor + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
function put(tensor: usize, index: i32, x: f64): void {
  store<f32>(tensor + (<usize>index << 2), <f32>x);
}

function meanOf(kernel: usize, first: i32, taps: i32): f64 {
  let sum: f64 = 0.0;
  for (let i = first; i < first + taps; i++) sum += at(kernel, i);
  return sum / taps;
}

/** 1 / sqrt(variance + epsilon) of a head. */
function scaleOf(kernel: usize, first: i32, taps: i32, mean: f64, epsilon: f64): f64 {
  let sum: f64 = 0.0;
  for (let i = first; i < first + taps; i++) sum += (at(kernel, i) - mean) * (at(kernel, i) - mean);
  return 1.0 / sqrt<f64>(sum / taps + epsilon);
}

export function normalize(kernel: usize, gain: usize, bias: usize, output: usize, heads: i32, taps: i32, epsilon: f64): void {
  for (let h: i32 = 0; h < heads; h++) {
    const first = h * taps;
    const mean = meanOf(kernel, first, taps);
    const scale = scaleOf(kernel, first, taps, mean, epsilon) * at(gain, h);
    for (let i = first; i < first + taps; i++) put(output, i, (at(kernel, i) - mean) * scale + at(bias, h));
  }
}

export function normalizeBackward(
  kernel: usize,
  gain: usize,
  dOutput: usize,
  dKernel: usize,
  dGain: usize,
  dBias: usize,
  heads: i32,
  taps: i32,
  epsilon: f64,
): void {
  for (let h: i32 = 0; h < heads; h++) {
    const first = h * taps;
    const mean = meanOf(kernel, first, taps);
    const scale = scaleOf(kernel, first, taps, mean, epsilon);
    let sum: f64 = 0.0;
    let weighed: f64 = 0.0;
    for (let i = first; i < first + taps; i++) {
      sum += at(dOutput, i);
      weighed += at(dOutput, i) * (at(kernel, i) - mean) * scale;
    }
    put(dBias, h, sum);
    put(dGain, h, weighed);
    for (let i = first; i < first + taps; i++) {
      const normalised = (at(kernel, i) - mean) * scale;
      put(dKernel, i, at(gain, h) * scale * (at(dOutput, i) - sum / taps - (normalised * weighed) / taps));
    }
  }
}
