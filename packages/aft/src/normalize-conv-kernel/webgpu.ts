import { type FusedKernel, type KernelCall, runProgram, webGpuBackend } from '@mixfold/tensor-ops';

const THREADS = 64;

/** A program in which each thread owns a head: `first` to `end` are its taps, `mean` and `scale` normalise them. */
function headProgram(name: string, reads: readonly string[], body: string): FusedKernel {
  return {
    accepts({ sizes, backend }) {
      const most = webGpuBackend(backend).device.limits.maxComputeWorkgroupsPerDimension * THREADS;
      return sizes.heads! <= most ? null : `heads are ${sizes.heads}, the WebGPU kernels take up to ${most}`;
    },
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const shapes = Object.entries(outputShapes).map(([output, shape]) => [output, { shape }]);
      return runProgram(webGpuBackend(backend), {
        name,
        inputs: Object.fromEntries(reads.map((input) => [input, inputs[input]!])),
        outputs: Object.fromEntries(shapes),
        uniforms: {
          heads: { type: 'u32', value: sizes.heads! },
          taps: { type: 'u32', value: sizes['...taps']! },
          epsilon: { type: 'f32', value: attributes.epsilon as number },
        },
        workgroupSize: [THREADS, 1, 1],
        workgroups: [Math.ceil(sizes.heads! / THREADS), 1, 1],
        code: /* wgsl */ `
fn main(@builtin(global_invocation_id) id: vec3u) {
  let head = id.x;
  if (head >= uniforms.heads) { return; }
  let first = head * uniforms.taps;
  let end = first + uniforms.taps;
  let count = f32(uniforms.taps);
  var sum = 0.0;
  for (var i = first; i < end; i++) { sum += kernel[i]; }
  let mean = sum / count;
  var squares = 0.0;
  for (var i = first; i < end; i++) { squares = fma(kernel[i] - mean, kernel[i] - mean, squares); }
  let scale = 1.0 / sqrt(squares / count + uniforms.epsilon);
  ${body}
}`,
      });
    },
  };
}

export const webgpuNormalize = /* @__PURE__ */ headProgram(
  'NormalizeConvKernel',
  ['kernel', 'gain', 'bias'],
  'for (var i = first; i < end; i++) { output[i] = fma((kernel[i] - mean) * scale, gain[head], bias[head]); }',
);

export const webgpuNormalizeBackward = /* @__PURE__ */ headProgram(
  'NormalizeConvKernelBackward',
  ['kernel', 'gain', 'dOutput'],
  `
  var received = 0.0;
  var weighed = 0.0;
  for (var i = first; i < end; i++) {
    received += dOutput[i];
    weighed = fma(dOutput[i], (kernel[i] - mean) * scale, weighed);
  }
  dBias[head] = received;
  dGain[head] = weighed;
  for (var i = first; i < end; i++) {
    let normalised = (kernel[i] - mean) * scale;
    dKernel[i] = gain[head] * scale * (dOutput[i] - received / count - normalised * weighed / count);
  }`,
);
