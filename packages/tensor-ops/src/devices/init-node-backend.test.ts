import { testBackends } from '@mixfold/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { BackendReport } from './backend-report';
import { type FakePackage, type NodeProject, nodeProject, type ScriptResult } from './test-node-project';

const cpu = '@tensorflow/tfjs-backend-cpu';
const wasm = '@tensorflow/tfjs-backend-wasm';
const webgpu = '@tensorflow/tfjs-backend-webgpu';
const hasDawn = testBackends.some(({ name }) => name === 'webgpu');

let project: NodeProject | undefined;
afterEach(() => project?.remove());

/** A tfjs-node package as far as `initBackend` looks at it: it registers and starts `tensorflow` on import. */
const fakeTfjsNode = ({ gpuPackage, usingGpu }: { gpuPackage: boolean; usingGpu: boolean }): FakePackage => ({
  addon: true,
  main: `
  const tf = require('@tensorflow/tfjs-core');
  const util = require('util');
  util.isNullOrUndefined(0);
  class NodeJSKernelBackend extends tf.KernelBackend {
    constructor() { super(); this.isGPUPackage = ${gpuPackage}; this.isUsingGpuDevice = ${usingGpu}; }
  }
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(), 3);
  tf.setBackend('tensorflow');`,
});

/** Calls `initBackend`, computes 2 * 3 on a real backend, prints the report. */
const script = (options: string, { before = '', compute = true } = {}) => `
  ${before}
  import { initBackend } from './mixfold.mjs';
  import * as tf from '@tensorflow/tfjs-core';
  const report = await initBackend(${options});
  const product = ${compute ? `(await tf.mul(tf.tensor1d([2]), tf.tensor1d([3])).data())[0]` : '6'};
  console.log(JSON.stringify({ ...report, product, tfjs: tf.getBackend() }));`;

function reportOf({ value, stderr, status }: ScriptResult) {
  expect(`${status}${status === 0 ? '' : stderr}`).toBe('0');
  return value as BackendReport & { product: number; tfjs: string };
}

const reasons = ({ tried }: BackendReport) => Object.fromEntries(tried.map(({ backend, reason }) => [backend, reason]));

describe('initBackend in Node', () => {
  it('falls to WASM where nothing better is installed, and says why', async () => {
    project = await nodeProject([wasm, cpu]);
    const report = reportOf(project.run(script('')));
    expect(report).toMatchObject({ backend: 'wasm', tfjs: 'wasm', software: false, product: 6 });
    expect(report.fused).toContain('CumulativeSum');
    expect(report.device).toMatch(/^WebAssembly with SIMD/);
    expect(report.tried).toEqual([
      { backend: 'tfjs-node-gpu', reason: "package '@tensorflow/tfjs-node-gpu' is not installed" },
      { backend: 'webgpu', reason: "package 'webgpu' is not installed" },
      { backend: 'tfjs-node', reason: "package '@tensorflow/tfjs-node' is not installed" },
    ]);
  });

  it('falls to the CPU', async () => {
    project = await nodeProject([cpu]);
    const report = reportOf(project.run(script('')));
    expect(report).toMatchObject({ backend: 'cpu', tfjs: 'cpu', product: 6 });
    expect(report.device).toMatch(/^JavaScript/);
    expect(reasons(report).wasm).toBe("package '@tensorflow/tfjs-backend-wasm' is not installed");
  });

  it('takes a preferred backend first, and says why it could not', async () => {
    project = await nodeProject([wasm, cpu]);
    const taken = reportOf(project.run(script(`{ prefer: ['cpu'] }`)));
    expect(taken).toMatchObject({ backend: 'cpu', tried: [], product: 6 });
    const refused = reportOf(project.run(script(`{ prefer: ['webgpu', 'cpu'] }`)));
    expect(refused).toMatchObject({
      backend: 'cpu',
      tried: [{ backend: 'webgpu', reason: "package 'webgpu' is not installed" }],
    });
  });

  it('lists every reason if nothing can be used', async () => {
    project = await nodeProject([]);
    const { value, status } = project.run(`
      import { initBackend } from './mixfold.mjs';
      console.log(JSON.stringify(await initBackend().catch((error) => error.message)));`);
    expect(status).toBe(0);
    expect(value).toBe(
      [
        'initBackend: no backend can be used',
        "  tfjs-node-gpu  package '@tensorflow/tfjs-node-gpu' is not installed",
        "  webgpu         package 'webgpu' is not installed",
        "  tfjs-node      package '@tensorflow/tfjs-node' is not installed",
        "  wasm           package '@tensorflow/tfjs-backend-wasm' is not installed",
        "  cpu            package '@tensorflow/tfjs-backend-cpu' is not installed",
      ].join('\n'),
    );
  });

  it('names what failed in a package that cannot be loaded', async () => {
    project = await nodeProject([cpu], {
      [wasm]: { main: `require('not-there');` },
      webgpu: { main: `throw new Error('no libvulkan\\nmore');` },
    });
    const report = reportOf(project.run(script('')));
    expect(reasons(report)).toMatchObject({
      webgpu: "package 'webgpu' could not be loaded: no libvulkan",
      wasm: `package '${wasm}' could not be loaded: Cannot find module 'not-there'`,
    });
  });
});

describe.skipIf(!hasDawn)('initBackend in Node with Dawn on a software driver', () => {
  it('refuses the rasteriser, leaves no trace of it, and takes WASM', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const report = reportOf(project.run(`${script('')} if (globalThis.navigator?.gpu) process.exit(3);`));
    expect(report).toMatchObject({ backend: 'wasm', product: 6 });
    expect(reasons(report).webgpu).toMatch(
      /^the adapter is a software rasteriser \(SwiftShader .*\); pass allowSoftwareGpu: true/,
    );
  });

  it('takes it with allowSoftwareGpu, says so, and lets the process end', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const report = reportOf(project.run(script('{ allowSoftwareGpu: true }')));
    expect(report).toMatchObject({ backend: 'webgpu', tfjs: 'webgpu', software: true, product: 6 });
    expect(report.device).toMatch(/SwiftShader/);
  });

  it('starts a device with all that the adapter has, on demand, and lets the process end', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const { value, status } = project.run(`
      import { initBackend } from './mixfold.mjs';
      import * as tf from '@tensorflow/tfjs-core';
      const { backend } = await initBackend({ allowSoftwareGpu: true, fullDevice: true });
      const adapter = await navigator.gpu.requestAdapter();
      const buffers = ({ limits }) => limits.maxStorageBuffersPerShaderStage;
      const product = (await tf.mul(tf.tensor1d([2]), tf.tensor1d([3])).data())[0];
      console.log(JSON.stringify({ backend, product, all: buffers(tf.backend().device) === buffers(adapter) }));`);
    expect(status).toBe(0);
    expect(value).toEqual({ backend: 'webgpu', product: 6, all: true });
  });

  it('works where the program has imported the WebGPU backend before there was a navigator.gpu', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const report = reportOf(project.run(script('{ allowSoftwareGpu: true }', { before: `import '${webgpu}';` })));
    expect(report).toMatchObject({ backend: 'webgpu', software: true, product: 6 });
  });

  it('uses a navigator.gpu that the program has set up', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const before = `
      import { create, globals } from 'webgpu';
      Object.assign(globalThis, globals);
      globalThis.navigator ??= {};
      Object.defineProperty(globalThis.navigator, 'gpu', { value: create([]), configurable: true });`;
    const report = reportOf(project.run(script('{ allowSoftwareGpu: true }', { before })));
    expect(report).toMatchObject({ backend: 'webgpu', software: true, product: 6 });
  });

  it('says that there is no adapter where there is no driver', async () => {
    project = await nodeProject([wasm, webgpu, 'webgpu']);
    const report = reportOf(project.run(script('{ allowSoftwareGpu: true }'), { VK_ICD_FILENAMES: '/no/driver.json' }));
    expect(report.backend).toBe('wasm');
    expect(reasons(report).webgpu).toMatch(/^WebGPU finds no GPU adapter/);
  });

  it('says that the WebGPU backend is not installed', async () => {
    project = await nodeProject([wasm, 'webgpu']);
    const report = reportOf(project.run(script('{ allowSoftwareGpu: true }')));
    expect(reasons(report).webgpu).toBe(`package '${webgpu}' is not installed`);
  });
});

describe('initBackend in Node with tfjs-node', () => {
  const gpu = '@tensorflow/tfjs-node-gpu';
  const plain = '@tensorflow/tfjs-node';
  // Node 23 dropped `util.isNullOrUndefined`; dropping it here shows the shim at work on any Node.
  const before = `import util from 'node:util'; delete util.isNullOrUndefined;`;

  it('takes tfjs-node-gpu if it uses a GPU', async () => {
    project = await nodeProject([wasm], { [gpu]: fakeTfjsNode({ gpuPackage: true, usingGpu: true }) });
    const report = reportOf(project.run(script('', { before, compute: false })));
    expect(report).toMatchObject({
      backend: 'tfjs-node-gpu',
      tfjs: 'tensorflow',
      device: 'TensorFlow on a GPU',
      software: false,
      tried: [],
    });
  });

  it('does not take tfjs-node-gpu for a GPU if it uses none', async () => {
    project = await nodeProject([wasm], { [gpu]: fakeTfjsNode({ gpuPackage: true, usingGpu: false }) });
    const report = reportOf(project.run(script('', { before, compute: false })));
    expect(report).toMatchObject({ backend: 'tfjs-node', tfjs: 'tensorflow', device: 'TensorFlow on the CPU' });
    expect(reasons(report)['tfjs-node-gpu']).toMatch(/uses no GPU: it needs .* CUDA 11 and cuDNN 8$/);
    const preferred = reportOf(project.run(script(`{ prefer: ['tfjs-node-gpu', 'wasm'] }`, { before })));
    expect(preferred).toMatchObject({ backend: 'wasm', tfjs: 'wasm', product: 6 });
  });

  it('takes tfjs-node before WASM', async () => {
    project = await nodeProject([wasm], { [plain]: fakeTfjsNode({ gpuPackage: false, usingGpu: false }) });
    const report = reportOf(project.run(script('', { before, compute: false })));
    expect(report).toMatchObject({ backend: 'tfjs-node', device: 'TensorFlow on the CPU' });
  });

  it('does not load tfjs-node where its addon was never built', async () => {
    project = await nodeProject([wasm], { [plain]: { main: `throw new Error('this loads all of tfjs');` } });
    const report = reportOf(project.run(script('')));
    expect(report.backend).toBe('wasm');
    expect(reasons(report)['tfjs-node']).toMatch(/installed without its native addon.*npm rebuild @tensorflow\/tfjs-node$/);
  });
});
