import { engine, getBackend, type TensorInfo } from '@tensorflow/tfjs-core';
import { parseContract } from '../axes';
import { bindContract } from '../bind-shapes';
import { show } from '../check-options';
import { OptionError } from '../errors';
import { lowerFirst, outputShapesOf, withNamedShapes } from './parsed-operator';
import { type ImplementationForm, registry } from './registry';
import type { AnyOperator, Attributes, FusedKernel, Implementation, KernelCall } from './types';

/** The form that `call` runs in on `backendName`; with the kernel if it is a fused one. Without a call the sizes are not asked about. */
export function chooseImplementation(
  operator: AnyOperator,
  backendName: string,
  forcedForm: ImplementationForm | undefined,
  call?: KernelCall,
): Implementation & { kernel?: FusedKernel } {
  const functionName = operator.spec.publicName ?? lowerFirst(operator.spec.name);
  const composed = (reason: string): Implementation => {
    if (forcedForm === 'fused') throw new OptionError(`${functionName}: a fused kernel was asked for, but ${reason}`);
    return { backend: backendName, form: 'composed', reason };
  };
  if (forcedForm === 'composed') return composed('withImplementation asks for the composed form');
  const kernel: FusedKernel | undefined = operator.spec.kernels?.[backendName];
  if (kernel === undefined) return composed(`${operator.spec.name} has no fused kernel for backend '${backendName}'`);
  const refusal = call ? (kernel.accepts?.(call) ?? null) : null;
  if (refusal !== null) return composed(refusal);
  const reason = `${operator.spec.name} has a fused kernel for backend '${backendName}'`;
  const build = backendName === 'wasm' ? { build: registry().wasmBuild } : {};
  return { backend: backendName, form: 'fused', ...build, reason, kernel };
}

/**
 * Tells which form of an operator runs on the current backend, and why.
 *
 * @param operator - The operator, such as `aftSimpleOperator`.
 * @param shapes - The shapes of its inputs by name. A fused kernel may refuse some sizes; without shapes it is not asked.
 * @param attributes - Attributes, where the kernel's answer depends on them.
 * @returns The backend, the form, the build of a WASM kernel, and the reason.
 * @throws ShapeError if the shapes do not fit the operator.
 */
export function implementationOf(
  operator: AnyOperator,
  shapes?: Readonly<Record<string, readonly number[]>>,
  attributes: Attributes = {},
): Implementation {
  const { spec } = operator;
  let call: KernelCall | undefined;
  if (shapes !== undefined) {
    const functionName = spec.publicName ?? lowerFirst(spec.name);
    const contract = parseContract(spec.inputs);
    const inputs: Record<string, TensorInfo> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      if (!contract.some((input) => input.name === name)) throw new OptionError(`${functionName}: unknown input '${name}'`);
      inputs[name] = { dataId: {}, dtype: 'float32', shape: [...shape] };
    }
    const merged: Attributes = { ...spec.attributes, ...attributes };
    const bound = withNamedShapes(operator, bindContract(functionName, contract, inputs), inputs, merged);
    const parsed = {
      functionName,
      inputs: contract,
      outputs: parseContract(spec.outputs),
      saved: parseContract(spec.saved ?? {}),
    };
    const outputShapes = outputShapesOf(parsed, bound, (name) => inputs[name] !== undefined, true);
    call = { inputs, attributes: merged, ...bound, outputShapes, backend: engine().backend };
  }
  const { kernel: _, ...implementation } = chooseImplementation(operator, getBackend(), registry().forcedForm, call);
  return implementation;
}

/**
 * Runs `fn` with every mixfold operator in one form, gradients of what it records included, so that a test or a benchmark measures what it names.
 *
 * @param form - `'composed'` for tfjs ops, `'fused'` for kernels; an operator without a fused kernel then throws.
 * @param fn - Synchronous.
 * @returns What `fn` returns.
 * @throws OptionError for another form, or if `fn` returns a promise: the form would be lost at its first await.
 */
export function withImplementation<Result>(form: ImplementationForm, fn: () => Result): Result {
  if (form !== 'fused' && form !== 'composed') {
    throw new OptionError(`withImplementation: form must be 'fused' or 'composed', got ${show(form)}`);
  }
  const shared = registry();
  const before = shared.forcedForm;
  shared.forcedForm = form;
  try {
    const result = fn();
    if (typeof (result as { then?: unknown } | undefined)?.then === 'function') {
      throw new OptionError('withImplementation: fn must be synchronous, got one that returns a promise');
    }
    return result;
  } finally {
    shared.forcedForm = before;
  }
}
