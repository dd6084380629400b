import { engine, getBackend, type TensorInfo } from '@tensorflow/tfjs-core';
import { show } from '../check-options';
import { OptionError } from '../errors';
import { planCall } from './call-plan';
import { lowerFirst, parseOperator } from './parsed-operator';
import { type ImplementationForm, registry } from './registry';
import type { AnyOperator, Attributes, FusedKernel, Implementation, KernelCall } from './types';

/** The fused kernel that `call` runs on `backendName`, or why the composed form runs. Without a call the sizes are not asked about. */
export function fusedKernel(
  { spec }: AnyOperator,
  backendName: string,
  forcedForm: ImplementationForm | undefined,
  call?: KernelCall,
): FusedKernel | string {
  if (forcedForm === 'composed') return 'withImplementation asks for the composed form';
  const kernel: FusedKernel | undefined = spec.kernels?.[backendName];
  const refusal = kernel === undefined ? null : call && kernel.accepts ? kernel.accepts(call) : null;
  if (kernel !== undefined && refusal === null) return kernel;
  const reason = refusal ?? `${spec.name} has no fused kernel for backend '${backendName}'`;
  if (forcedForm !== 'fused') return reason;
  throw new OptionError(`${spec.publicName ?? lowerFirst(spec.name)}: a fused kernel was asked for, but ${reason}`);
}

/**
 * Tells which form of an operator runs on the current backend, and why.
 *
 * @param operator - The operator, such as `aftSimpleOperator`.
 * @param shapes - The shapes of its inputs by name. A fused kernel may refuse some sizes; without shapes it is not asked.
 * @param attributes - Attributes, where the kernel's answer depends on them.
 * @returns The backend, the form, the build of a WASM kernel, and the reason.
 * @throws OptionError for what is no operator, such as the public function; ShapeError if the shapes do not fit the operator.
 */
export function implementationOf(
  operator: AnyOperator,
  shapes?: Readonly<Record<string, readonly number[]>>,
  attributes: Attributes = {},
): Implementation {
  const spec: AnyOperator['spec'] | undefined = operator?.spec;
  if (spec === undefined) {
    throw new OptionError(
      `implementationOf: operator must be one that defineOperator made, such as softmaxOperator, got ${show(operator)}`,
    );
  }
  let call: KernelCall | undefined;
  if (shapes !== undefined) {
    const parsed = parseOperator(spec);
    const inputs: Record<string, TensorInfo> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const isKnown = parsed.inputs.some((input) => input.name === name);
      if (!isKnown) throw new OptionError(`${parsed.functionName}: unknown input '${name}'`);
      inputs[name] = { dataId: {}, dtype: 'float32', shape: [...shape] };
    }
    const merged: Attributes = { ...spec.attributes, ...attributes };
    const { sizes, groups, outputShapes } = planCall(operator, parsed, inputs, merged, true);
    call = { inputs, attributes: merged, sizes, groups, outputShapes, backend: engine().backend };
  }
  const backend = getBackend();
  const kernel = fusedKernel(operator, backend, registry().forcedForm, call);
  if (typeof kernel === 'string') return { backend, form: 'composed', reason: kernel };
  const build = backend === 'wasm' ? { build: registry().wasmBuild } : {};
  return { backend, form: 'fused', ...build, reason: `${spec.name} has a fused kernel for backend '${backend}'` };
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
