import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineOperator } from '../operator/define-operator';
import type { InitBackendOptions } from './backend-report';
import { initBackend } from './init-backend';
import { startTfjsBackend } from './start-tfjs-backend';
import { describeAdapter, isSoftwareAdapter } from './web-gpu-adapter';

afterEach(() => vi.restoreAllMocks());

describe('initBackend of a page', () => {
  it('takes the best backend that was imported and says why not a better one', async () => {
    const report = await initBackend();
    expect(report).toMatchObject({ backend: 'wasm', software: false });
    expect(report.device).toMatch(/^WebAssembly with SIMD/);
    expect(report.tried).toEqual([{ backend: 'webgpu', reason: 'there is no WebGPU here: navigator.gpu is missing' }]);
    expect(tf.getBackend()).toBe('wasm');
  });

  it('takes the preferred backend, and refuses what runs in Node only', async () => {
    const report = await initBackend({ prefer: ['tfjs-node', 'cpu'] });
    expect(report).toMatchObject({ backend: 'cpu', device: 'JavaScript' });
    expect(report.tried).toEqual([
      { backend: 'tfjs-node', reason: "it runs in Node only, through initBackend of '@mixfold/tensor-ops/node'" },
    ]);
  });

  it('lists the operators that have a fused kernel there', async () => {
    const declare = (name: string, kernels: object) =>
      defineOperator({
        name,
        inputs: { x: 'batch' },
        outputs: { output: 'batch' },
        kernels: { ...kernels },
        compose: ({ x }) => ({ output: x }),
      });
    declare('FusedOnCpu', { cpu: { run: () => ({}) } });
    declare('FusedElsewhere', { wasm: { run: () => ({}) } });
    expect((await initBackend({ prefer: ['cpu'] })).fused).toEqual(['FusedOnCpu']);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'an unknown backend',
      { prefer: ['webgl'] },
      /unknown backend 'webgl' in option prefer; the backends are tfjs-node-gpu, webgpu, tfjs-node, wasm, cpu$/,
    ],
    ['a backend outside an array', { prefer: 'wasm' }, /option prefer must be an array of backend names, got 'wasm'/],
    ['an unknown option', { backend: 'wasm' }, /unknown option 'backend'; the options are prefer, allowSoftwareGpu/],
    ['an option of the wrong kind', { allowSoftwareGpu: 1 }, /allowSoftwareGpu must be true or false, got 1/],
    ['options that are no object', 'wasm', /options must be a plain object, got 'wasm'/],
  ])('refuses %s', async (_, options, message) => {
    await expect(initBackend(options as InitBackendOptions)).rejects.toThrow(message);
    await expect(initBackend(options as InitBackendOptions)).rejects.toHaveProperty('name', 'OptionError');
  });
});

describe('startTfjsBackend', () => {
  it.each<[string, () => tf.KernelBackend | Promise<tf.KernelBackend>]>([
    [
      'throws',
      () => {
        throw new Error('no driver\nwith a long story');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no driver'))],
    ['rejects with a plain object', () => Promise.reject({ message: 'no driver' })],
  ])('gives the cause where a factory %s, and restores the backend before', async (_, factory) => {
    vi.spyOn(console, 'warn').mockImplementation(() => {});
    await tf.setBackend('cpu');
    tf.registerBackend('broken', factory);
    expect(await startTfjsBackend('broken')).toBe('it could not be started: no driver');
    expect(tf.getBackend()).toBe('cpu');
    expect((await tf.square(3).data())[0]).toBe(9);
    tf.removeBackend('broken');
    expect(await startTfjsBackend('broken')).toBe('it is not registered with tfjs');
  });
});

describe('isSoftwareAdapter', () => {
  it.each([
    [{ vendor: 'google', architecture: 'swiftshader' }, true],
    [{ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }, true],
    [{ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }, true],
    [{ vendor: 'intel', isFallbackAdapter: true }, true],
    [{ vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H200', isFallbackAdapter: false }, false],
    [{ vendor: 'apple', architecture: 'common-3' }, false],
    [{}, false],
  ])('%j: %s', (info, software) => expect(isSoftwareAdapter(info)).toBe(software));

  it('describes an adapter with what is known of it', () => {
    expect(describeAdapter({ vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H200' })).toBe('NVIDIA H200');
    expect(describeAdapter({ vendor: 'apple', architecture: 'common-3', device: '', description: '' })).toBe('apple common-3');
    expect(describeAdapter({})).toBe('an unnamed GPU');
  });
});
