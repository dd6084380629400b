import type { WebGpuBackend } from '@mixfold/tensor-ops';
import { watchGpuErrors } from '@mixfold/testing/error-scope-guard';
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs's own ops.
import '@tensorflow/tfjs-layers';
import { checkCall, differentiate, type PreparedCase, shapesOfOutputs, tensorsOf } from '../check-operator';
import { leastBytes, type OperatorCase } from '../operator-case';
import { operatorCases } from '../operators/index';
import { drawInputs, prepareOperator } from '../prepare-operator';
import { formsOf } from './gpu-forms';
import { interleaveOnGpu, timeOnGpu } from './gpu-time';
import { measureLimits } from './probes';
import {
  type CheckAnswer,
  sizesToCheck,
  type TimeAnswer,
  type WorkerAnswers,
  type WorkerReply,
  type WorkerRequest,
} from './protocol';
import { describeDevice, startDevice } from './start-device';

/** Bytes of traffic in one command buffer: what a run makes is freed only when its commands are submitted. */
const mostPending = 2 ** 32;

/** Of several forms, those that take longer for one run are named and not timed. */
const slowMs = 250;

/** Serves the supervisor's requests until it hangs up. */
export function serve(): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', async (request: WorkerRequest) => {
    let reply: WorkerReply;
    try {
      reply = { answer: await answer(request) };
    } catch (error) {
      reply = { error: messageOf(error) };
    }
    process.send!(reply);
  });
}

let started: Promise<WebGpuBackend> | undefined;

async function answer(request: WorkerRequest): Promise<WorkerAnswers[keyof WorkerAnswers]> {
  if (request.ask === 'describe') return describeDevice();
  const backend = await (started ??= startDevice());
  switch (request.ask) {
    case 'probe':
      return measureLimits(backend, request.effort, request.small);
    case 'check':
      return check(backend, caseOf(request.name), request);
    case 'time':
      return time(backend, caseOf(request.name), request);
  }
}

function caseOf(name: string): OperatorCase {
  const found = operatorCases.find((operatorCase) => operatorCase.name === name);
  if (!found) throw new RangeError(`no case is called '${name}'`);
  return found;
}

let prepared: { readonly key: string; readonly made: PreparedCase } | undefined;

/** The float64 reference is computed once for all forms. */
function preparedCase(operatorCase: OperatorCase, at: 'check' | 'gpu'): PreparedCase {
  const key = `${operatorCase.name} ${at}`;
  if (prepared?.key !== key) prepared = { key, made: prepareOperator(operatorCase, sizesToCheck(operatorCase, at)) };
  return prepared.made;
}

async function check(
  backend: WebGpuBackend,
  operatorCase: OperatorCase,
  { at, form: wanted }: Extract<WorkerRequest, { ask: 'check' }>,
): Promise<CheckAnswer> {
  const made = preparedCase(operatorCase, at);
  const { form, call } = formsOf(operatorCase).find(({ form: own }) => own === wanted)!;
  // tfjs promises nothing; a tenth of a percent tells a rounding from a mistake.
  const tolerance = form === 'tfjs' ? { forward: 1e-3, gradient: 1e-3 } : tolerances.webgpu;
  const noErrors = watchGpuErrors(backend);
  try {
    await checkCall(made, call, tolerance);
    await noErrors();
    return null;
  } catch (error) {
    const reported = await noErrors().catch(messageOf);
    return [messageOf(error), reported].filter(Boolean).join('; ');
  }
}

async function time(
  backend: WebGpuBackend,
  operatorCase: OperatorCase,
  { pass, at, forms: wanted, effort }: Extract<WorkerRequest, { ask: 'time' }>,
): Promise<TimeAnswer> {
  const sizes = operatorCase.sizes[at];
  const inputs = drawInputs(operatorCase, sizes);
  const tensors = tensorsOf(inputs);
  const forms = formsOf(operatorCase).filter(({ form }) => wanted.includes(form));
  const shapes = shapesOfOutputs({ sizes }, forms[0]!.call, tensors);
  const cotangent = tf.randomNormal(shapes[0]!, 0, 1, 'float32', 5);
  const failures: Record<string, string> = {};
  const able: { form: string; work: () => void }[] = [];
  try {
    for (const { form, call } of forms) {
      const work =
        pass === 'forward'
          ? () => tf.tidy(() => void call(tensors, sizes))
          : () => tf.dispose(differentiate({ operatorCase, inputs, sizes }, call, tensors, cotangent) as never);
      const noErrors = watchGpuErrors(backend);
      try {
        // The first run compiles its shaders.
        await timeOnGpu(backend, work, 1);
        const { wallMs } = await timeOnGpu(backend, work, 1);
        await noErrors();
        if (able.length > 0 && wallMs > slowMs) failures[form] = `a run takes ${wallMs.toFixed(0)} ms, too long to take turns`;
        else able.push({ form, work });
      } catch (error) {
        await noErrors().catch(() => {});
        failures[form] = messageOf(error);
      }
    }
    const bytes = leastBytes(
      inputs,
      shapes.reduce((sum, shape) => sum + tf.util.sizeFromShape(shape), 0),
    )[pass];
    const mostRepeats = Math.max(1, Math.min(effort.mostRepeats, Math.floor(mostPending / bytes)));
    const timings = await interleaveOnGpu(
      backend,
      able.map(({ work }) => work),
      { ...effort, mostRepeats },
    );
    return {
      timings: timings.map((timing, i) => ({ form: able[i]!.form, ...timing })),
      failures,
      bytes,
      flops: operatorCase.flops?.(sizes)[pass] ?? null,
    };
  } finally {
    tf.dispose([tensors, cotangent]);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String((error as { message?: unknown })?.message ?? error);
}
