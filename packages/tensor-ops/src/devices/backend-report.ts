/** Every backend that `initBackend` knows. `tfjs-node-gpu` and `tfjs-node` are both tfjs's backend `tensorflow`, and run in Node only. */
export const backendNames = ['tfjs-node-gpu', 'webgpu', 'tfjs-node', 'wasm', 'cpu'] as const;

export type BackendName = (typeof backendNames)[number];

export interface InitBackendOptions {
  /** Backends to try first, in this order; the others follow in their usual order. */
  prefer?: BackendName[];
  /** Take WebGPU on a software rasteriser (SwiftShader, llvmpipe) too: right for tests, slower than WASM. Default false. */
  allowSoftwareGpu?: boolean;
  /**
   * Start WebGPU on a device with all that the adapter has for compute (more storage buffers and workgroup memory, larger buffers, timestamps, subgroups, f16)
   * instead of the one tfjs asks for. It cannot replace a device on which tensors live. Default false.
   */
  fullDevice?: boolean;
}

/** What `initBackend` picked, and what it passed over. */
export interface BackendReport {
  backend: BackendName;
  /** The device in words, as its driver names it. */
  device: string;
  /** Whether the WebGPU device is a software rasteriser. */
  software: boolean;
  /** The backends that came before the chosen one and could not be used, each with the reason. */
  tried: { backend: BackendName; reason: string }[];
  /** The operators defined so far that have a fused kernel on this backend. */
  fused: string[];
}
