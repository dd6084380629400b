import { cast, type GradConfig, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { einsum } from '../tensor-algebra/einsum';
import { einsumGradient } from '../tensor-algebra/einsum-gradient';
import type { Replacement } from './replacement';

const float = (x: Tensor) => (x.dtype === 'float32' ? x : cast(x, 'float32'));

/**
 * tfjs's kernel `Einsum`, which its WASM backend lacks, by our `einsum`: any number of operands, and all of its grammar. Integers are multiplied as
 * float32, so exactly up to 2^24.
 */
export const einsumKernel: Replacement = () => (call) => {
  const operands = Object.values(call.inputs) as Tensor[];
  const isInteger = operands.every(({ dtype }) => dtype !== 'float32');
  return tidy(() => {
    const result = einsum(call.attrs?.equation as string, ...operands.map(float));
    return isInteger ? cast(result, 'int32') : result;
  });
};

/** The gradient of `tf.einsum`, which tfjs lacks on every backend. */
export const einsumGradConfig: GradConfig = {
  kernelName: 'Einsum',
  saveAllInputs: true,
  gradFunc(dy, saved, attrs) {
    const equation = attrs.equation as string;
    const gradient = (_: Tensor, i: number) => [i, () => einsumGradient(equation, saved.map(float), dy as Tensor, i)];
    return Object.fromEntries(saved.map(gradient));
  },
};
