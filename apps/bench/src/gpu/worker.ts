import { type WebGpuBackend, withImplementation } from '@mixfold/tensor-ops';
import { watchGpuErrors } from '@mixfold/testing/error-scope-guard';
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs's own ops.
import '@tensorflow/tfjs-layers';
import { type Call, checkCall, differentiate, shapesOfOutputs, tensorsOf } from '../check-operator';
import { leastBytes, type OperatorCase } from '../operator-case';
import { operatorCases } from '../operators/index';
import { drawInputs, prepareOperator } from '../prepare-operator';
import { interleaveOnGpu } from './gpu-time';
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
      return check(backend, caseOf(request.name), request.at);
    case 'time':
      return time(backend, caseOf(request.name), request);
  }
}

function caseOf(name: string): OperatorCase {
  const found = operatorCases.find((operatorCase) => operatorCase.name === name);
  if (!found) throw new RangeError(`no case is called '${name}'`);
  return found;
}

/** What is compared: ours in both forms, and tfjs's ops. An operator without a kernel for this backend has one form of ours. */
function formsOf({ operators, ours, peers }: OperatorCase): { form: string; call: Call; isOurs: boolean }[] {
  const isFused = operators.every(({ spec }) => spec.kernels?.webgpu !== undefined);
  const inForm = (form: 'fused' | 'composed') => ({
    form,
    call: ((inputs, sizes) => withImplementation(form, () => ours(inputs, sizes))) as Call,
    isOurs: true,
  });
  return [
    ...(isFused ? [inForm('fused')] : []),
    inForm('composed'),
    ...(peers?.tfjs ? [{ form: 'tfjs', call: peers.tfjs as Call, isOurs: false }] : []),
  ];
}

async function check(backend: WebGpuBackend, operatorCase: OperatorCase, at: 'check' | 'gpu'): Promise<CheckAnswer> {
  const prepared = prepareOperator(operatorCase, sizesToCheck(operatorCase, at));
  const right: string[] = [];
  const wrong: Record<string, string> = {};
  for (const { form, call, isOurs } of formsOf(operatorCase)) {
    // tfjs promises nothing; a tenth of a percent tells a rounding from a mistake.
    const tolerance = isOurs ? tolerances.webgpu : { forward: 1e-3, gradient: 1e-3 };
    const noErrors = watchGpuErrors(backend);
    try {
      await checkCall(prepared, call, tolerance);
      await noErrors();
      right.push(form);
    } catch (error) {
      const reported = await noErrors().catch(messageOf);
      wrong[form] = [messageOf(error), reported].filter(Boolean).join('; ');
    }
  }
  return { right, wrong };
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
        work();
        await noErrors();
        able.push({ form, work });
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
