import type { DataType, KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import { watchDevice } from './device-loss';

/** Values on the host. */
type BackendValues = ReturnType<KernelBackend['readSync']>;

/** What the WebGPU backend keeps about one tensor; `dtype` is that of the buffer, which a cast may have relabelled outside. */
export interface WebGpuTensorData {
  dtype: DataType;
  resource?: unknown;
  /** The values, while they are on the host. */
  values?: BackendValues | null;
}

/**
 * What this package uses of tfjs's `WebGPUBackend` (`@tensorflow/tfjs-backend-webgpu` 4.22), typed by hand: an operator costs no
 * backend, and several of these members are private in the backend's own declarations. `webGpuBackend` checks that they are there.
 */
export interface WebGpuBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(dataId: object): WebGpuTensorData };
  /** Makes a tensor; without values its memory is acquired by `uploadToGPU` and is not cleared. */
  makeTensorInfo(shape: number[], dtype: DataType): TensorInfo;
  disposeData(dataId: object, force?: boolean): boolean;
  read(dataId: object): Promise<BackendValues>;
  readSync(dataId: object): BackendValues;
  uploadToGPU(dataId: object): void;
  /** Writes the values into a pooled uniform buffer that is given back after the next submit. */
  makeUniforms(uniforms: { type: 'int32' | 'uint32' | 'float32'; data: number[] }[]): GPUBufferBinding;
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  /** Tensors of the commands not submitted yet: their buffers must not be pooled before the submit. */
  commandQueueOwnedIds: WeakSet<object>;
  dispatchCountInPass: number;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  supportTimestampQuery: boolean;
  querySet: GPUQuerySet | null;
  querySetCount: number;
  /** Set while `tf.time` or `tf.profile` runs. */
  activeTimers?: { name: string; query: Promise<number> }[] | null;
  getQueryTime(): Promise<number>;
  /** Records one dispatch of a program of tfjs's own. */
  recordAndSubmit(program: object, ...rest: unknown[]): void;
}

const methods = [
  'makeTensorInfo',
  'disposeData',
  'uploadToGPU',
  'makeUniforms',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
  'getQueryTime',
  'recordAndSubmit',
  'read',
  'readSync',
] as const;
const objects = ['device', 'tensorMap', 'commandQueueOwnedIds'] as const;
const checked = new WeakSet<object>();

/**
 * The backend object that tfjs hands to a kernel, as the interface above; from then on the loss of its device is a typed error.
 *
 * @throws Error if a member is missing: another backend, or a release of the WebGPU backend that this package does not know.
 */
export function webGpuBackend(backend: unknown): WebGpuBackend {
  const candidate = backend as Record<string, unknown>;
  if (!checked.has(candidate)) {
    const missing = [
      ...methods.filter((name) => typeof candidate[name] !== 'function'),
      ...objects.filter((name) => typeof candidate[name] !== 'object' || candidate[name] === null),
    ];
    if (missing.length > 0) {
      throw new Error(
        `this is not a WebGPU backend that @mixfold/tensor-ops can drive: it has no ${missing.join(', ')}. ` +
          'Use @tensorflow/tfjs-backend-webgpu 4.22.0',
      );
    }
    checked.add(candidate);
    watchDevice(backend as WebGpuBackend);
  }
  return backend as WebGpuBackend;
}
