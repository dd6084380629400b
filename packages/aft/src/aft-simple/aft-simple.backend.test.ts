import { describeForms, runConformance } from '@mixfold/testing';
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core';
import { type AftOptions, aftSimple } from './aft-simple';

const call = ({ query, key, value, ...masks }: Record<string, Tensor>, attrs: Record<string, unknown>) =>
  aftSimple(query as Tensor3D, key as Tensor3D, value as Tensor3D, { ...(attrs as AftOptions), ...masks });

describeForms('aftSimple', { fused: ['wasm'] }, (form) => {
  for (const file of ['aftSimple', 'aftSimpleHostile', 'aftSimpleKeyMask', 'aftActivation']) runConformance(form, file, call);
});
