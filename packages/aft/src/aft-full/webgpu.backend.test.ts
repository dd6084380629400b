import { implementationOf, webGpuBackend } from '@mixfold/tensor-ops';
import { describeForms, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftFullOperator } from './aft-full';
import { differentiateFull, randomFull, runFull } from './test-calls';

/** The names of the programs that run while `fn` does, from tfjs's profile. */
async function programs(fn: () => tf.TensorContainer): Promise<string[]> {
  const { kernels } = await tf.profile(() => tf.tidy(() => void fn()));
  const infos = await Promise.all(kernels.map(({ extraInfo }) => extraInfo as unknown as Promise<string>));
  return infos.flatMap((info) => info.split(', ')).flatMap((entry) => entry.match(/^AftFull\w*/) ?? []);
}

/** The most storage buffers that a program binds while `fn` runs. */
function mostBuffers(fn: () => void): number {
  const { device } = webGpuBackend(tf.backend());
  const create = device.createBindGroup;
  let most = 0;
  // The last entry is the uniforms.
  device.createBindGroup = (descriptor) => {
    most = Math.max(most, [...descriptor.entries].length - 1);
    return create.call(device, descriptor);
  };
  try {
    fn();
  } finally {
    device.createBindGroup = create;
  }
  return most;
}

const forward = ['AftFullReferences', 'AftFullShader'];
const backward = ['AftFullReferences', 'AftFullReceive', 'AftFullBackwardSources'];

describeForms('the WebGPU kernels of aftFull', { fused: ['webgpu'], only: ['webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  test('leave to the composed form what they cannot bind', () => {
    const shapes = { query: [1, 8192, 8], key: [1, 8192, 8], value: [1, 8192, 8], positionBias: [8192, 8192] };
    const { limits } = webGpuBackend(tf.backend()).device;
    const fits = 4 * 8192 ** 2 <= limits.maxStorageBufferBindingSize;
    expect(implementationOf(aftFullOperator, shapes).form).toBe(fits ? 'fused' : 'composed');
    const larger = { query: [64, 8192, 512], key: [64, 8192, 512], value: [64, 8192, 512], positionBias: [8192, 8192] };
    expect(implementationOf(aftFullOperator, larger)).toMatchObject({
      form: 'composed',
      reason: expect.stringMatching(/^the WebGPU kernels would bind \d+ bytes/),
    });
  });

  if (form.form === 'composed') return;

  test.each([
    [0, ['AftFullBackwardBias']],
    [2, ['AftFullBackwardU', 'AftFullBackwardV']],
  ])('take few dispatches of at most 8 buffers, and give the same bits on every run, at rank %i', async (rank, last) => {
    const given = { ...randomFull(random, [2, 70, 70, 3], { rank, spread: 20 }), keyMask: random.mask([2, 70], 0.8) };
    const cotangent = random.normals([2, 70, 3]);
    const options = { causal: true };
    expect(await programs(() => runFull(form, given, options))).toEqual(forward);
    expect(await programs(() => differentiateFull(form, given, cotangent, options))).toEqual([...forward, ...backward, ...last]);
    const most = mostBuffers(() => tf.tidy(() => void differentiateFull(form, given, cotangent, options)));
    expect(most).toBeGreaterThan(4);
    expect(most).toBeLessThanOrEqual(8);
    const [a, b] = [0, 1].map(() => differentiateFull(form, given, cotangent, options) as Record<string, tf.Tensor>);
    for (const [name, tensor] of Object.entries(a!)) expect(await b![name]!.data()).toEqual(await tensor.data());
  });
});
