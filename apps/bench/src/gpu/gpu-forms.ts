import { withImplementation } from '@mixfold/tensor-ops';
import type { Call } from '../check-operator';
import type { OperatorCase } from '../operator-case';

/** A way to run an operator on the GPU. */
export interface GpuForm {
  readonly form: 'fused' | 'composed' | 'tfjs';
  readonly call: Call;
}

/**
 * What is compared: ours fused, tfjs's ops, and ours composed, last because it may be stopped. An operator without a kernel for this backend has one form
 * of ours.
 */
export function formsOf({ operators, ours, peers }: OperatorCase): GpuForm[] {
  const isFused = operators.every(({ spec }) => spec.kernels?.webgpu !== undefined);
  const inForm = (form: 'fused' | 'composed'): GpuForm => ({
    form,
    call: (inputs, sizes) => withImplementation(form, () => ours(inputs, sizes)),
  });
  return [
    ...(isFused ? [inForm('fused')] : []),
    ...(peers?.tfjs ? [{ form: 'tfjs' as const, call: peers.tfjs as Call }] : []),
    inForm('composed'),
  ];
}
