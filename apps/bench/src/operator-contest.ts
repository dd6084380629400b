import { setWasmBuild, type WasmBackend, type WasmBuild, withImplementation } from '@mixfold/tensor-ops';
import { tolerances } from '@mixfold/testing/tolerances';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Contest, Contestant, Missing } from './bench-case';
import {
  type Call,
  checkCall,
  checkNumbers,
  differentiate,
  type PreparedCase,
  shapesOfOutputs,
  tensorsOf,
} from './check-operator';
import { useOurKernels, useStockKernels } from './kernels-in-use';
import { leastBytes, type OperatorCase } from './operator-case';
import { peers } from './peers/index';
import type { Pass } from './peers/peer';
import { prepareOperator } from './prepare-operator';
import { peakFlops, peakProbes, runPeak } from './register-peak';

/** A way to run the operator on a backend of tfjs. */
interface TfjsForm {
  readonly name: string;
  readonly form: string;
  readonly backend: 'wasm' | 'cpu';
  readonly isOurs: boolean;
  readonly call: Call;
  readonly enter: () => Promise<void> | void;
  readonly threaded?: boolean;
}

/** Peers promise nothing; a tenth of a percent tells a rounding from a mistake. */
const peerTolerance = { forward: 1e-3, gradient: 1e-3 };

const passText = { forward: 'forward', both: 'forward + backward' } as const;
const ours = 'ours, fused';
const sameBits = 'ours, fused, same bits everywhere';
/** Peers that take longer for one run, their first, are named and not timed. */
const slowMs = 1000;
const onStockWasm = 'tfjs ops on stock tfjs-wasm';
const onCpu = 'tfjs ops on tfjs-cpu';
/** Whoever the short set does without. */
const leftOutShort: Readonly<Record<string, string>> = { [onCpu]: 'takes part with --full' };
const copyLimit = 'limit: copy of as many bytes';

/** An operator against itself in every form and against other libraries, one thread each unless the name says otherwise. */
export function operatorBench(operatorCase: OperatorCase, pass: Pass): BenchCase {
  const sizes = Object.entries(operatorCase.sizes.cpu).map(([name, size]) => `${name} ${size}`);
  return {
    name: pass === 'forward' ? operatorCase.name : `${operatorCase.name}-gradients`,
    about: `${operatorCase.about}, ${passText[pass]}: ${sizes.join(', ')}`,
    prepare: (full) => prepare(operatorCase, pass, full),
    onlyFull: operatorCase.onlyFull === true || operatorCase.onlyFull === pass,
  };
}

async function prepare(operatorCase: OperatorCase, pass: Pass, full: boolean): Promise<Contest> {
  const prepared = prepareOnce(operatorCase);
  const contestants: Contestant[] = [];
  const missing: Missing[] = [];
  const ends: (() => unknown)[] = [];
  /** Whether it is left out, which is then told. */
  const isLeftOut = (name: string) => {
    const reason = operatorCase.leftOut?.[pass]?.[name] ?? (full ? undefined : leftOutShort[name]);
    if (reason !== undefined) missing.push({ name, reason });
    return reason !== undefined;
  };
  return {
    contestants,
    missing,
    ours,
    /** Whoever computes something wrong, or cannot take part, is named and not timed; if it is ours, nothing is. */
    async check() {
      for (const form of formsOf(operatorCase)) {
        if (isLeftOut(form.name)) continue;
        try {
          await enter(form);
          const start = performance.now();
          await checkCall(prepared, form.call, form.isOurs ? tolerances[form.backend] : peerTolerance, pass);
          if (!form.isOurs) refuseSlow(performance.now() - start);
          const { run, end } = workOf(prepared, form, pass);
          ends.push(end);
          contestants.push({ name: form.name, form: form.form, enter: () => enter(form), run, threaded: form.threaded ?? false });
        } catch (error) {
          if (form.isOurs) throw new Error(`${form.name}: ${messageOf(error)}`);
          missing.push({ name: form.name, reason: messageOf(error) });
        }
      }
      for (const peer of peers) {
        if (isLeftOut(peer.name)) continue;
        try {
          const ready = await peer.prepare(prepared, pass);
          ends.push(() => ready.dispose());
          const start = performance.now();
          const { output, gradients } = await ready.results();
          refuseSlow(performance.now() - start);
          checkNumbers(prepared, output, pass === 'both' ? gradients : undefined, peerTolerance);
          const { form, run, sample } = ready;
          contestants.push({ name: peer.name, form, enter: () => {}, run, ...(sample ? { sample } : {}) });
        } catch (error) {
          missing.push({ name: peer.name, reason: messageOf(error) });
        }
      }
      contestants.push(...limitsOf(prepared, pass));
    },
    targets: (medians) => {
      const isTimed = (wanted: string) => contestants.some(({ name }) => name === wanted);
      if (!isTimed(onStockWasm)) return [];
      return [
        {
          text: 'ours over stock tfjs-wasm',
          value: medians(onStockWasm) / medians(ours),
          atLeast: operatorCase.bounds?.[pass] ?? 1,
        },
        ...(isTimed(sameBits)
          ? [{ text: `${sameBits}, over stock tfjs-wasm`, value: medians(onStockWasm) / medians(sameBits), atLeast: 1 }]
          : []),
      ];
    },
    dispose() {
      for (const end of ends.reverse()) void end();
    },
  };
}

let latest: PreparedCase | undefined;

/** The passes of a case come one behind the other, and share their inputs and what the reference made of them. */
function prepareOnce(operatorCase: OperatorCase): PreparedCase {
  if (latest?.operatorCase !== operatorCase) latest = prepareOperator(operatorCase, operatorCase.sizes.cpu);
  return latest;
}

/** The forms that there are: an operator without a fused kernel for WASM has one composed form. */
function formsOf({ operators, peers: { tfjs } = {}, ours: call, threads }: OperatorCase): TfjsForm[] {
  const isFused = operators.every(({ spec }) => spec.kernels?.wasm !== undefined);
  const inForm =
    (form: 'fused' | 'composed'): Call =>
    (inputs, sizes) =>
      withImplementation(form, () => call(inputs, sizes));
  const onOurKernels = (name: string, form: 'fused' | 'composed', build: WasmBuild, count = 1): TfjsForm => ({
    name,
    form: `${form}, wasm ${build}`,
    backend: 'wasm',
    isOurs: true,
    call: inForm(form),
    enter: () => useOurKernels(build, count),
    threaded: count > 1,
  });
  const onStock = (backend: 'wasm' | 'cpu', stock: Call): TfjsForm => ({
    name: backend === 'wasm' ? onStockWasm : onCpu,
    form: `tfjs ${tf.version_core}`,
    backend,
    isOurs: false,
    call: stock,
    enter: useStockKernels,
  });
  return [
    ...(isFused ? [onOurKernels(ours, 'fused', 'relaxed'), onOurKernels(sameBits, 'fused', 'simd128')] : []),
    ...(isFused && threads ? [onOurKernels('ours, fused, two threads', 'fused', 'relaxed', 2)] : []),
    onOurKernels(isFused ? 'ours, composed' : ours, 'composed', 'relaxed'),
    ...(tfjs ? [onStock('wasm', tfjs), onStock('cpu', tfjs)] : []),
  ];
}

async function enter({ backend, enter: useKernels }: TfjsForm): Promise<void> {
  if (tf.getBackend() !== backend) await tf.setBackend(backend);
  await useKernels();
}

/** What is timed. Its tensors live on the form's backend, which has to be the current one. */
function workOf(prepared: PreparedCase, { call }: TfjsForm, pass: Pass): { run: () => void; end: () => void } {
  const { inputs, dOutput, sizes } = prepared;
  const tensors = tensorsOf(inputs);
  if (pass === 'forward') {
    return { run: () => tf.tidy(() => void call(tensors, sizes)), end: () => tf.dispose(tensors) };
  }
  const cotangent = tf.tidy(() => tf.reshape(tf.tensor1d(dOutput), shapesOfOutputs(prepared, call, tensors)[0]!));
  return {
    run: () => tf.dispose(differentiate(prepared, call, tensors, cotangent) as never),
    end: () => tf.dispose([tensors, cotangent]),
  };
}

/** What the machine needs at least: a copy that moves as many bytes, and as much arithmetic in registers. */
function limitsOf({ operatorCase, inputs, output, sizes }: PreparedCase, pass: Pass): Contestant[] {
  const bytes = Math.ceil(leastBytes(inputs, output.length)[pass] / 2);
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes)];
  const limits: Contestant[] = [
    {
      name: copyLimit,
      form: `${(bytes / 2 ** 20).toFixed(1)} MiB to elsewhere`,
      enter: () => {},
      run: () => to.set(from),
      isLimit: true,
    },
  ];
  const flops = operatorCase.flops?.(sizes)[pass];
  if (flops === undefined) return limits;
  const backend = tf.engine().registry.wasm as unknown as WasmBackend;
  for (const name of peakProbes) {
    const rounds = Math.ceil(flops / peakFlops(name, 1));
    limits.push({
      name: `limit: arithmetic in registers, ${name}`,
      form: 'wasm relaxed',
      enter: () => setWasmBuild('relaxed'),
      run: () => runPeak(backend, name, rounds),
      isLimit: true,
      flops,
    });
  }
  return limits;
}

/** A run so long would take the whole time that a case has. */
function refuseSlow(ms: number): void {
  if (ms > slowMs) throw new Error(`a run takes ${(ms / 1000).toFixed(1)} s, too long to take turns`);
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
