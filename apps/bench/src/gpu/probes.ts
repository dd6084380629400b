import { runProgram, type WebGpuBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { type GpuEffort, type GpuTiming, interleaveOnGpu } from './gpu-time';

/** What the device can do at most, measured: the denominators of 'percent of limit'. */
export interface GpuLimits {
  /** 10^9 bytes a second, read and written together: the faster of a shader and the command for it. */
  readonly copyGBs: number;
  /** 10^9 floating-point operations a second of tfjs's matrix product, 4096^3. */
  readonly matMulGFs: number;
  /** The same of multiply-adds in registers alone. */
  readonly registerGFs: number;
}

const unrolled = 64;

/** Measures the probes turn about. */
export async function measureLimits(backend: WebGpuBackend, effort: GpuEffort, isSmall: boolean): Promise<GpuLimits> {
  const elements = isSmall ? 2 ** 16 : 2 ** 26;
  const size = isSmall ? 64 : 4096;
  const rounds = isSmall ? 4 : 256;
  const threads = isSmall ? 2 ** 10 : 2 ** 20;
  const source = tf.randomUniform([elements / 4, 4], 0, 1, 'float32', 1);
  const [a, b] = [2, 3].map((seed) => tf.randomNormal([size, size], 0, 1, 'float32', seed)) as [tf.Tensor, tf.Tensor];
  const seeds = tf.randomUniform([threads], 0, 1, 'float32', 4);
  try {
    copyByShader(backend, source);
    const [byShader, byCommand, matMul, register] = (await interleaveOnGpu(
      backend,
      [
        () => copyByShader(backend, source),
        () => copyByCommand(backend, source),
        () => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D).dispose(),
        () => multiplyAdd(backend, seeds, rounds),
      ],
      effort,
    )) as [GpuTiming, GpuTiming, GpuTiming, GpuTiming];
    return {
      copyGBs: (8 * elements) / Math.min(credibleMs(byShader), credibleMs(byCommand)) / 1e6,
      matMulGFs: (2 * size ** 3) / matMul.minMs / 1e6,
      registerGFs: (2 * 4 * 4 * unrolled * rounds * threads) / register.minMs / 1e6,
    };
  } finally {
    tf.dispose([source, a, b, seeds]);
  }
}

/** Some drivers let a timestamp pass a copy, and a single sample then takes no time at all; the wall clock does not lie so. */
function credibleMs({ medianMs, wallMs }: GpuTiming): number {
  return medianMs > wallMs / 2 ? medianMs : wallMs;
}

/** A float a thread at a time, neighbours beside each other, in grid strides. */
function copyByShader(backend: WebGpuBackend, source: tf.Tensor): void {
  const { target } = runProgram(backend, {
    name: 'CopyProbe',
    inputs: { source: source as unknown as tf.TensorInfo },
    outputs: { target: { shape: source.shape } },
    uniforms: { size: { type: 'u32', value: source.size } },
    workgroupSize: [256, 1, 1],
    workgroups: [Math.min(Math.ceil(source.size / 256), 65_535), 1, 1],
    code: `
      fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) { target[i] = source[i]; }
      }`,
  });
  backend.disposeData(target.dataId);
}

function copyByCommand(backend: WebGpuBackend, source: tf.Tensor): void {
  const target = backend.makeTensorInfo(source.shape, 'float32');
  backend.uploadToGPU(target.dataId);
  const buffers = [source, target].map(({ dataId }) => backend.tensorMap.get(dataId).resource as GPUBuffer);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder!.copyBufferToBuffer(buffers[0]!, 0, buffers[1]!, 0, 4 * source.size);
  backend.commandQueueOwnedIds.add(target.dataId);
  backend.disposeData(target.dataId);
}

/** Four independent chains of vec4 multiply-adds a thread. */
function multiplyAdd(backend: WebGpuBackend, seeds: tf.Tensor, rounds: number): void {
  const steps = Array.from({ length: unrolled }, () => 'a = fma(a, x, y); b = fma(b, x, y); c = fma(c, x, y); d = fma(d, x, y);');
  const { sums } = runProgram(backend, {
    name: 'MultiplyAddProbe',
    inputs: { seeds: seeds as unknown as tf.TensorInfo },
    outputs: { sums: { shape: seeds.shape } },
    uniforms: { rounds: { type: 'u32', value: rounds } },
    workgroupSize: [256, 1, 1],
    workgroups: [seeds.size / 256, 1, 1],
    code: `
      fn main(@builtin(global_invocation_id) id: vec3u) {
        let seed = seeds[id.x];
        let x = vec4f(0.5 + 0.1 * seed);
        let y = vec4f(seed, 1.0, 2.0, 3.0);
        var a = y; var b = 2.0 * y; var c = 3.0 * y; var d = 4.0 * y;
        for (var round = 0u; round < uniforms.rounds; round++) { ${steps.join('\n')} }
        let sum = a + b + c + d;
        sums[id.x] = sum.x + sum.y + sum.z + sum.w;
      }`,
  });
  backend.disposeData(sums.dataId);
}
