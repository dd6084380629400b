import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { initBackend } from './init-backend';

describeBackends(
  'initBackend on a software rasteriser',
  () => {
    it('refuses it', async () => {
      await expect(initBackend()).rejects.toThrow(/webgpu +the adapter is a software rasteriser \(.*swiftshader/i);
      expect(tf.getBackend()).toBe('webgpu');
    });

    it('takes it with allowSoftwareGpu and says so', async () => {
      const report = await initBackend({ allowSoftwareGpu: true });
      expect(report).toMatchObject({ backend: 'webgpu', software: true, tried: [] });
      expect(report.device).toMatch(/swiftshader/i);
      expect((await tf.square(3).data())[0]).toBe(9);
    });
  },
  { only: ['webgpu'] },
);
