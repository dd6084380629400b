import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from './run-program';
import { type WebGpuBackend, webGpuBackend } from './web-gpu-backend';
import type { WebGpuProgram } from './web-gpu-program';

let backend: WebGpuBackend;

/** sum = a + scale b, difference = a - b, over flat float32 tensors. */
function sumAndDifference(a: tf.TensorInfo, b: tf.TensorInfo, scale = 1): WebGpuProgram<'sum' | 'difference'> {
  const size = tf.util.sizeFromShape(a.shape);
  return {
    name: 'SumAndDifference',
    inputs: { a, b },
    outputs: { sum: { shape: a.shape }, difference: { shape: a.shape } },
    uniforms: { size: { type: 'u32', value: size }, scale: { type: 'f32', value: scale } },
    workgroupSize: [64, 1, 1],
    workgroups: [Math.ceil(size / 64), 1, 1],
    code: `
      fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x >= uniforms.size) { return; }
        sum[id.x] = a[id.x] + uniforms.scale * b[id.x];
        difference[id.x] = a[id.x] - b[id.x];
      }`,
  };
}

/** The tensors of infos; the engine owns them from here. */
function tensors<Name extends string>(infos: Record<Name, tf.TensorInfo>): Record<Name, tf.Tensor> {
  const made = Object.entries<tf.TensorInfo>(infos).map(([name, info]) => [name, tf.engine().makeTensorFromTensorInfo(info)]);
  return Object.fromEntries(made) as Record<Name, tf.Tensor>;
}

describeBackends(
  'runProgram',
  () => {
    beforeAll(() => {
      backend = webGpuBackend(tf.backend());
    });

    it('writes several outputs, from inputs that live on the CPU and on the GPU', async () => {
      const a = tf.tensor1d([1, 2, 3]);
      const b = tf.mul(tf.ones([3]), tf.tensor1d([10, 20, 30]));
      const { sum, difference } = tensors(runProgram(backend, sumAndDifference(a, b, 0.5)));
      expect(await sum.array()).toEqual([6, 12, 18]);
      expect(await difference.array()).toEqual([-9, -18, -27]);
      tf.dispose([a, b, sum, difference]);
    });

    it('binds one tensor twice', async () => {
      const a = tf.tensor2d([[1, 2]]);
      const { sum, difference } = tensors(runProgram(backend, sumAndDifference(a, a)));
      expect(await sum.array()).toEqual([[2, 4]]);
      expect(await difference.array()).toEqual([[0, 0]]);
      tf.dispose([a, sum, difference]);
    });

    it('keeps call order with tfjs programs and with later calls, across submits', async () => {
      let value = tf.ones([65]);
      for (let step = 0; step < 40; step++) {
        const { sum, difference } = tensors(runProgram(backend, sumAndDifference(value, value, 0.5)));
        const next = tf.mul(sum, tf.scalar(2 / 3));
        tf.dispose([value, sum, difference]);
        value = next as tf.Tensor1D;
      }
      const data = await value.data();
      for (const element of data) expect(element).toBeCloseTo(1, 4);
      value.dispose();
    });

    it('does not hand out the buffer of an intermediate before the commands that read it are submitted', async () => {
      const a = tf.tensor1d([1, 2]);
      const first = runProgram(backend, sumAndDifference(a, a));
      const second = runProgram(backend, sumAndDifference(first.sum, first.difference));
      for (const info of Object.values(first)) backend.disposeData(info.dataId);
      const other = tf.fill([2], 7);
      const { sum, difference } = tensors(second);
      expect(await sum.array()).toEqual([2, 4]);
      tf.dispose([a, sum, difference, other]);
    });

    it('reads int32 and bool tensors as i32 and writes int32', async () => {
      const a = tf.tensor1d([5, -7], 'int32');
      const b = tf.tensor1d([true, false], 'bool');
      const { picked } = tensors(
        runProgram(backend, {
          name: 'Picked',
          inputs: { a, b },
          outputs: { picked: { shape: [2], dtype: 'int32' } },
          workgroupSize: [2, 1, 1],
          workgroups: [1, 1, 1],
          code: 'fn main(@builtin(local_invocation_id) id: vec3u) { picked[id.x] = a[id.x] * b[id.x]; }',
        }),
      );
      expect(picked.dtype).toBe('int32');
      expect(await picked.array()).toEqual([5, 0]);
      tf.dispose([a, b, picked]);
    });

    // tfjs casts these by relabelling them, on the CPU and on the GPU.
    it.each(['bool', 'int32'] as const)('reads a %s tensor that was cast to float32 as f32', async (dtype) => {
      for (const size of [3, 70_000]) {
        const bits = Array.from({ length: size }, (_, i) => i % 3);
        const given = tf.tensor1d(bits, dtype);
        const onGpu = tf.reverse(tf.reverse(given));
        for (const integers of [given, onGpu]) {
          const a = tf.cast(integers, 'float32');
          const before = backend.tensorMap.get(a.dataId).dtype;
          const { sum, difference } = tensors(runProgram(backend, sumAndDifference(a, a, 0.5)));
          const expected = bits.map((bit) => 1.5 * (dtype === 'bool' ? Math.min(bit, 1) : bit));
          expect(Array.from(await sum.data())).toEqual(expected);
          expect(before).toBe(dtype);
          tf.dispose([a, sum, difference]);
        }
        tf.dispose([given, onGpu]);
      }
    });

    it('does not mistake one constant for another, and compiles the same text once', async () => {
      const a = tf.tensor1d([1, 2]);
      const times = (factor: number) => ({
        name: 'Times',
        inputs: { a },
        outputs: { product: { shape: [2] } },
        workgroupSize: [2, 1, 1] as [number, number, number],
        workgroups: [1, 1, 1] as [number, number, number],
        code: `fn main(@builtin(local_invocation_id) id: vec3u) { product[id.x] = a[id.x] * ${factor}.0; }`,
      });
      const compiled: unknown[] = [];
      const createComputePipeline = backend.device.createComputePipeline.bind(backend.device);
      backend.device.createComputePipeline = (descriptor) => {
        compiled.push(descriptor.label);
        return createComputePipeline(descriptor);
      };
      const products = [2, 3, 2].map((factor) => tensors(runProgram(backend, times(factor))).product);
      Reflect.deleteProperty(backend.device, 'createComputePipeline');
      expect(await Promise.all(products.map((product) => product.array()))).toEqual([
        [2, 4],
        [3, 6],
        [2, 4],
      ]);
      expect(compiled).toEqual(['Times', 'Times']);
      tf.dispose([a, ...products]);
    });

    it('is seen by tf.time and leaves the backend working', async () => {
      const a = tf.ones([1000]);
      const time = (await tf.time(() => {
        tf.dispose(Object.values(tensors(runProgram(backend, sumAndDifference(a, a)))));
      })) as tf.TimingInfo & { getExtraProfileInfo(): string };
      expect(time.getExtraProfileInfo()).toContain('SumAndDifference');
      if (backend.supportTimestampQuery) expect(time.kernelMs).toBeGreaterThan(0);
      const { sum, difference } = tensors(runProgram(backend, sumAndDifference(a, a)));
      expect((await sum.data())[999]).toBe(2);
      tf.dispose([a, sum, difference]);
    });

    it('leaks neither tensors nor buffers', async () => {
      const a = tf.ones([100]);
      const run = async () => {
        const { sum, difference } = tensors(runProgram(backend, sumAndDifference(a, a)));
        await sum.data();
        tf.dispose([sum, difference]);
      };
      await run();
      const before = tf.memory() as tf.MemoryInfo & { numBytesInGPU: number; numBytesAllocatedInGPU: number };
      for (let call = 0; call < 20; call++) await run();
      expect(tf.memory()).toEqual(before);
      a.dispose();
    });

    describe('runProgram refuses', () => {
      const any: tf.TensorInfo = { dataId: {}, shape: [2], dtype: 'float32' };
      const refused = (change: Partial<WebGpuProgram>) => () => {
        const a = tf.tensor1d([1, 2]);
        try {
          runProgram(backend, { ...sumAndDifference(a, a), ...change } as WebGpuProgram);
        } finally {
          a.dispose();
        }
      };
      const buffers = () => tf.memory().numDataBuffers;

      it.each<[string, Partial<WebGpuProgram>, RegExp]>([
        [
          'an unused binding',
          { code: 'fn main() { /* /* a[0] */ b[0] */ sum[0] = 1.0; difference[0] = f32(uniforms.size) * uniforms.scale; }' },
          /'a' is not used/,
        ],
        [
          'an unused uniform',
          { code: 'fn main() { sum[0] = a[0] + b[0]; difference[0] = uniforms.scale; // uniforms.size\n }' },
          /uniform 'size' is not used/,
        ],
        [
          'no entry point',
          { code: 'fn other() { sum[0] = a[0] + b[0]; difference[0] = uniforms.scale * f32(uniforms.size); }' },
          /exactly one 'fn main\('/,
        ],
        [
          'too many workgroups',
          { workgroups: [70000, 1, 1] },
          /workgroups is \[70000,1,1\], the device allows 1 to 65535 on each axis; loop in the shader by num_workgroups/,
        ],
        ['no workgroups', { workgroups: [1, 0, 1] }, /workgroups is \[1,0,1\]/],
        ['a workgroup of too many invocations', { workgroupSize: [64, 64, 1] }, /4096 invocations/],
        ['a fractional workgroup', { workgroupSize: [1.5, 1, 1] }, /workgroupSize is \[1.5,1,1\]/],
        ['an empty output', { outputs: { sum: { shape: [0, 2] }, difference: { shape: [2] } } }, /'sum' has the shape \[0,2\]/],
        ['no output', { outputs: {} }, /has no output/],
        ['two bindings of one name', { outputs: { a: { shape: [2] } } }, /'a' stands for two bindings/],
        ['a name WGSL cannot have', { outputs: { 'a-b': { shape: [2] } } }, /'a-b' is not a WGSL identifier/],
        [
          'a uniform that is not finite',
          { uniforms: { scale: { type: 'f32', value: Number.NaN } } },
          /uniform 'scale' is NaN, not a finite f32/,
        ],
        ['a negative u32', { uniforms: { size: { type: 'u32', value: -1 } } }, /uniform 'size' is -1, not a finite u32/],
        [
          'more workgroup memory than the device has',
          { code: `var<workgroup> tile: array<vec4f, 5000>; var<workgroup> rest: f32; ${sumAndDifference(any, any).code}` },
          /declares 80016 bytes of workgroup memory \(tile 80000, rest 16\), the device allows \d+$/,
        ],
        [
          'workgroup memory of a size that only the compiler knows',
          { code: `var<workgroup> tile: array<f32, unknown>; ${sumAndDifference(any, any).code}` },
          /workgroup variable 'tile: array<f32, unknown>' cannot be told/,
        ],
        [
          'a feature that the device was not made with',
          { requires: ['shader-f16'] },
          /needs 'shader-f16', .* initBackend\(\{ fullDevice: true \}\) starts/,
        ],
        ['vectors of what is no binding', { vectors: ['c'] }, /there is no binding 'c' to hold vectors/],
        [
          'vectors of a number of floats that 4 does not divide',
          { vectors: ['a'] },
          /'a' holds vectors of 4 floats, got float32 \[2\]/,
        ],
        ['a binding larger than the device binds', { outputs: { sum: { shape: [2 ** 31] } } }, /needs 8589934592 bytes/],
      ])('%s', (_, change, message) => {
        const count = buffers();
        expect(refused(change)).toThrow(message);
        expect(refused(change)).toThrow(/^WebGPU program 'SumAndDifference': /);
        expect(buffers()).toBe(count);
      });

      it('more tensors than the device binds', () => {
        const a = tf.tensor1d([1]);
        const names = Array.from(
          { length: backend.device.limits.maxStorageBuffersPerShaderStage },
          (_, index) => `input${index}`,
        );
        expect(refused({ inputs: Object.fromEntries(names.map((name) => [name, a])) })).toThrow(
          /binds 10 tensors, the device allows 8/,
        );
        a.dispose();
      });

      it('a tensor of strings', () => {
        const words = tf.tensor1d(['one', 'two']);
        expect(refused({ inputs: { a: words, b: words } })).toThrow(/'a' is a string tensor, which a shader cannot read/);
      });

      it('another backend', () => {
        expect(() => webGpuBackend({ device: {} })).toThrow(
          /it has no makeTensorInfo, .*tensorMap.*Use @tensorflow\/tfjs-backend-webgpu 4.22.0/,
        );
      });
    });
  },
  { only: ['webgpu'] },
);
