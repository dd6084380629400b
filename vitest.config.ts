import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium, softwareGpuEnvironment } from './scripts/chromium.mjs';

const sources = 'packages/*/src/**';
const chromium = findChromium();
const gpu = softwareGpuEnvironment();
const backends = process.env.MIXFOLD_TEST_BACKENDS ?? (gpu || process.env.CI ? 'cpu,wasm,webgpu' : 'cpu,wasm');
if (!backends.includes('webgpu'))
  console.warn('vitest: webgpu is not tested in Node: no driver found (npm run setup installs one)');
if (!chromium && !process.env.CI)
  console.warn('vitest: nothing is tested in a browser: no Chromium found (npm run setup installs one)');

// Workers inherit these: the linker reads LD_LIBRARY_PATH when a process starts.
Object.assign(process.env, gpu);

/** These make a page cross-origin isolated, so that tfjs-wasm runs its threaded build there. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

const node = {
  extends: true as const,
  test: {
    name: 'node',
    environment: 'node' as const,
    env: { MIXFOLD_TEST_BACKENDS: backends },
    include: [`${sources}/*.test.ts`, 'apps/*/src/**/*.test.ts', 'tooling/*/src/**/*.test.ts', 'scripts/*.test.mjs'],
    exclude: ['**/*.core.test.ts', '**/*.browser.test.ts', '**/node_modules/**'],
  },
};

/** tfjs-core and one backend, no other part of tfjs: its set-up file fails if any tfjs gradient is registered. */
const coreOnly = {
  extends: true as const,
  test: {
    name: 'core-only',
    environment: 'node' as const,
    env: { MIXFOLD_TEST_BACKENDS: 'cpu' },
    include: [`${sources}/*.core.test.ts`],
    setupFiles: ['tooling/testing/src/no-tfjs-gradients.ts'],
  },
};

const browser = {
  extends: true as const,
  server: { headers: isolation },
  optimizeDeps: {
    include: [
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-layers',
      '@tensorflow/tfjs-backend-wasm',
      '@tensorflow/tfjs-backend-webgpu',
      '@tensorflow/tfjs-backend-webgl',
      'fast-check',
    ],
  },
  test: {
    name: 'browser',
    include: [`${sources}/*.backend.test.ts`, 'tooling/*/src/**/*.backend.test.ts', 'apps/*/src/**/*.browser.test.ts'],
    // Laws say nothing about the host: in Node they are tested of the same programs.
    exclude: ['**/*-laws.backend.test.ts', '**/node_modules/**'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      instances: [{ browser: 'chromium' as const }],
      provider: playwright({
        launchOptions: {
          ...(chromium ? { executablePath: chromium } : {}),
          args: [
            '--no-sandbox',
            '--headless=new',
            '--enable-unsafe-webgpu',
            '--use-webgpu-adapter=swiftshader',
            '--enable-unsafe-swiftshader',
            '--ignore-gpu-blocklist',
          ],
        },
      }),
    },
  },
};

export default defineConfig({
  test: {
    // One process per file: a WASM trap or a lost device ends with its file. Two at a time, for kernels and drivers have threads.
    pool: 'forks',
    maxWorkers: 2,
    // Software GPUs compile shaders for seconds, and machines are shared.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    projects: chromium || process.env.CI ? [node, coreOnly, browser] : [node, coreOnly],
  },
});
