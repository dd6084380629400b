/// <reference types="vite/client" />

import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threadedSimd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import type { TestHost } from './host';

/**
 * A browser page. It is cross-origin isolated, so tfjs-wasm runs its threaded build, whose memory is shared: the case that
 * Node cannot test.
 */
export const host: TestHost = {
  name: 'chromium',
  backends: ['wasm', 'webgpu'],
  // On webgpu they are tfjs's own shaders, on the driver that runs them in Node too: there they are tested at length, here once per operator (apps/bench).
  composedOn: ['wasm'],
  async load(backend) {
    if (backend === 'wasm') {
      const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
      setWasmPaths({
        'tfjs-backend-wasm.wasm': plain,
        'tfjs-backend-wasm-simd.wasm': simd,
        'tfjs-backend-wasm-threaded-simd.wasm': threadedSimd,
      });
    }
    if (backend === 'webgpu') await import('@tensorflow/tfjs-backend-webgpu');
  },
};
