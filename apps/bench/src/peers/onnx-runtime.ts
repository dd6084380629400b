import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { onnxModel } from './onnx-model';
import type { Peer } from './peer';

interface Runtime {
  readonly InferenceSession: { create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  readonly Tensor: new (type: 'float32' | 'int32', data: Float32Array | Int32Array, dims: readonly number[]) => Tensor;
  readonly env: { readonly versions: Readonly<Record<string, string | undefined>>; readonly wasm: { numThreads?: number } };
}

/** onnxruntime on one thread: the native one in Node, or the WASM one for browsers. It runs graphs forward, and has no gradients. */
function onnxPeer(name: 'onnxruntime-node' | 'onnxruntime-web', load: () => Promise<Runtime>): Peer {
  return {
    name,
    async prepare({ operatorCase, inputs, sizes }, pass) {
      if (pass === 'both') throw new Error('it runs graphs forward alone');
      const graph = operatorCase.peers?.onnx?.(sizes);
      if (!graph) throw new Error('the case has no graph for it');
      const { InferenceSession, Tensor, env } = await load();
      env.wasm.numThreads = 1;
      const described = Object.entries(inputs).map(([input, { shape, data }]) => ({
        name: input,
        shape,
        type: data instanceof Int32Array ? ('int32' as const) : ('float32' as const),
      }));
      const session = await withoutWorker(() =>
        InferenceSession.create(onnxModel(graph, described), {
          executionProviders: [name === 'onnxruntime-node' ? 'cpu' : 'wasm'],
          intraOpNumThreads: 1,
          interOpNumThreads: 1,
          executionMode: 'sequential',
          graphOptimizationLevel: 'all',
          logSeverityLevel: 3,
        }),
      );
      const feeds = Object.fromEntries(
        described.map(({ name: input, type, shape }) => [input, new Tensor(type, inputs[input]!.data, shape)]),
      );
      const version = env.versions[name === 'onnxruntime-node' ? 'node' : 'web'] ?? env.versions.common;
      return {
        form: `${version}, one thread`,
        results: async () => ({ output: (await session.run(feeds)).output!.data as Float32Array }),
        run: async () => void (await session.run(feeds)),
        dispose: () => session.release(),
      };
    },
  };
}

export const onnxruntimeNode = onnxPeer('onnxruntime-node', async () => moduleOf(await import('onnxruntime-node')));
export const onnxruntimeWeb = onnxPeer('onnxruntime-web', async () => moduleOf(await import('onnxruntime-web')));

/** onnxruntime-web defines a global `Worker` in Node, at whose sight jax-js would start threads that a Node cannot. */
async function withoutWorker<T>(start: () => Promise<T>): Promise<T> {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'Worker');
  try {
    return await start();
  } finally {
    if (before) Object.defineProperty(globalThis, 'Worker', before);
    else Reflect.deleteProperty(globalThis, 'Worker');
  }
}

/** Some bundles have their names under `default` alone. */
function moduleOf(imported: object): Runtime {
  return ('InferenceSession' in imported ? imported : (imported as { default: unknown }).default) as unknown as Runtime;
}
