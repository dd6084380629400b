import { withImplementation } from '@mixfold/tensor-ops';
import { describe } from 'vitest';
import { guardTests, type TestBackend, testBackends } from './describe-backends';
import type { BackendName } from './host/host';

/** A backend together with the form of the operators that `run` forces there. */
export interface TestForm extends TestBackend {
  readonly form: 'composed' | 'fused';
  /** Runs a synchronous function in this form, backward passes included. */
  run<T>(fn: () => T): T;
}

/**
 * Describes the same tests once per form: composed on every backend, and fused where `fused` says that kernels exist. A fused
 * kernel that is missing or refuses the sizes throws, so a test never measures the other form.
 *
 * @param fused - backends that have fused kernels for everything the tests call.
 * @param only - leave out the other backends.
 */
export function describeForms(
  name: string,
  { fused, only }: { readonly fused: readonly BackendName[]; readonly only?: readonly BackendName[] },
  body: (form: TestForm) => void,
): void {
  for (const form of testForms(fused).filter((candidate) => !only || only.includes(candidate.name))) {
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
    if (backend.wasmBuild !== 'relaxed') forms.push(formOf(backend, 'composed', `${backend.name} composed`));
    if (fused.includes(backend.name)) forms.push(formOf(backend, 'fused', `${backend.label} fused`));
    return forms;
  });
}

function formOf(backend: TestBackend, form: TestForm['form'], label: string): TestForm {
  return { ...backend, label, form, run: (fn) => withImplementation(form, fn) };
}
