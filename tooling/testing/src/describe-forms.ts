import { withImplementation } from '@mixfold/tensor-ops';
import { describe } from 'vitest';
import { host } from '#host';
import { guardTests, type TestBackend, testBackends } from './describe-backends';
import type { BackendName } from './host/host';

/** A backend together with the form of the operators that `run` forces there. */
export interface TestForm extends TestBackend {
  readonly form: 'composed' | 'fused';
  /** tfjs's own ops on a software GPU, whose reductions and products are slow: tests take fewer and smaller cases. */
  readonly isSlow: boolean;
  /** Runs a synchronous function in this form, backward passes included. */
  run<T>(fn: () => T): T;
}

interface FormChoice {
  readonly fused: readonly BackendName[];
  readonly only?: readonly BackendName[];
  readonly composed?: readonly BackendName[];
}

/**
 * Describes the same tests once per form: composed on every backend where the host tests it, and fused where `fused` says that kernels exist. A fused
 * kernel that is missing or refuses the sizes throws, so a test never measures the other form.
 *
 * @param fused - backends that have fused kernels for everything the tests call.
 * @param only - leave out the other backends.
 * @param composed - leave out the composed form on the other backends: for laws that tests of the form itself have shown there.
 */
export function describeForms(name: string, { fused, only, composed }: FormChoice, body: (form: TestForm) => void): void {
  const isWanted = ({ name: backend, form }: TestForm) =>
    (!only || only.includes(backend)) && (form === 'fused' || !composed || composed.includes(backend));
  for (const form of testForms(fused).filter(isWanted)) {
    describe(`${name} on ${form.label}`, () => {
      guardTests(form);
      body(form);
    });
  }
}

function testForms(fused: readonly BackendName[]): TestForm[] {
  return testBackends.flatMap((backend) => {
    const forms: TestForm[] = [];
    // A composed form calls tfjs's own kernels, which have one build.
    if (backend.wasmBuild !== 'relaxed' && host.composedOn.includes(backend.name))
      forms.push(formOf(backend, 'composed', `${backend.name} composed`));
    if (fused.includes(backend.name)) forms.push(formOf(backend, 'fused', `${backend.label} fused`));
    return forms;
  });
}

function formOf(backend: TestBackend, form: TestForm['form'], label: string): TestForm {
  const isSlow = backend.name === 'webgpu' && form === 'composed';
  return { ...backend, label, form, isSlow, run: (fn) => withImplementation(form, fn) };
}
