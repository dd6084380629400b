import * as aft from '@mixfold/aft';
import * as mixedProduct from '@mixfold/mixed-product';
import * as positionalShift from '@mixfold/positional-shift';
import * as subspaceAttention from '@mixfold/subspace-attention';
import type { AnyOperator } from '@mixfold/tensor-ops';
import * as tensorOps from '@mixfold/tensor-ops';
import { operatorCases } from '../operators/index';

/** Packages with operators. */
const packages: readonly object[] = [tensorOps, aft, mixedProduct, positionalShift, subspaceAttention];

/** Operators with a fused WebGPU kernel that no case calls: nothing is known of them on the device. */
export function uncheckedOperators(): string[] {
  const exported = packages.flatMap((names) => Object.values(names)).filter(isOperator);
  const gradients = new Set(exported.map(({ spec }) => spec.backward));
  const called = new Set(operatorCases.flatMap(({ operators }) => operators));
  const fused = exported.filter((operator) => operator.spec.kernels?.webgpu && !gradients.has(operator));
  return [...new Set(fused.filter((operator) => !called.has(operator)).map(({ spec }) => spec.name))];
}

function isOperator(value: unknown): value is AnyOperator {
  return typeof (value as AnyOperator | undefined)?.spec?.compose === 'function';
}
