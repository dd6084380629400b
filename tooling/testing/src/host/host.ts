/** Backends that our operators are tested on. */
export type BackendName = 'cpu' | 'wasm' | 'webgpu';

/** Where the tests run, and how a backend is loaded there. `#host` resolves to the one for Node or for a browser. */
export interface TestHost {
  readonly name: 'node' | 'chromium';
  /** Backends that must work here. A test never finds out by itself that one is absent: it fails. */
  readonly backends: readonly BackendName[];
  /** Of these, the backends whose composed forms are tested here. */
  readonly composedOn: readonly BackendName[];
  /** Imports and registers the backend. Called once per backend before `tf.setBackend`. */
  load(backend: BackendName): Promise<void>;
}
