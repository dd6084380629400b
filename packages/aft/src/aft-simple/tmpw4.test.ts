import { describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { aftSimple } from './aft-simple';
describeForms('t', { fused: ['webgpu'], only: ['webgpu'] }, (form) => {
  if (form.form === 'composed') return;
  test('time', async () => {
    const random = new SeededRandom(1);
    for (const [B, T, d] of [[1, 4, 8], [1, 1024, 256], [8, 64, 128]] as const) for (const causal of [false, true]) {
      const x = [0, 1, 2].map(() => tensorOf<tf.Tensor3D>(random.normals([B, T, d]))); const dy = tf.ones([B, T, d]);
      const fwd = () => form.run(() => aftSimple(x[0]!, x[1]!, x[2]!, { causal }));
      const both = () => form.run(() => tf.valueAndGrads((q, k, v) => aftSimple(q as any, k as any, v as any, { causal }))(x, dy));
      const time = async (fn: () => any, sync: () => tf.Tensor) => { const ts = [], cpu = []; for (let i = 0; i < 20; i++) { const t = performance.now(); const r = fn(); const c = performance.now(); await (r.grads ? r.grads[2] : r).data(); ts.push(performance.now() - t); cpu.push(c - t); tf.dispose([r.value, r.grads, r.grads ? [] : r]); } ts.sort((a, b) => a - b); cpu.sort((a, b) => a - b); return ['min', ts[0]!.toFixed(2), 'med', ts[10]!.toFixed(2), cpu[10]!.toFixed(3)]; };
      console.log(form.label, B, T, d, causal, 'fwd', ...(await time(fwd, fwd as any)), 'fwd+bwd', ...(await time(both, fwd as any)));
    }
  });
});
