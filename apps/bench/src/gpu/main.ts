import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { operatorCases } from '../operators/index';
import type { GpuReport } from './gpu-result';
import { GpuRun } from './gpu-run';
import { printReport } from './print-report';
import { uncheckedOperators } from './unchecked-operators';
import { driverChoices, loaderEnvironment, whatIsMissing } from './vulkan';
import { serve } from './worker';
import { WorkerProcess, workerMark } from './worker-process';

declare const archiveCommit: string | null;

const usage = `run [--only NAME] [--json FILE] [--minutes N] [--check-only] [--no-torch] [--tiny] [--allow-software]

Checks every operator with a fused WebGPU kernel against float64, forward and backward, then times it.

  --only NAME         cases whose name begins so; may be repeated
  --json FILE         where the figures go, anew after every step (default ./mixfold-gpu-bench.json)
  --minutes N         it ends by then: what there was no time for is named (default 3.5)
  --check-only        times nothing
  --no-torch          leaves PyTorch out
  --tiny              times the small sizes of the checks
  --allow-software    takes a software adapter, whose times mean nothing

The exit code is 1 if an operator computes something wrong, 2 if there is no device.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string', default: 'mixfold-gpu-bench.json' },
      minutes: { type: 'string', default: '3.5' },
      'check-only': { type: 'boolean', default: false },
      'no-torch': { type: 'boolean', default: false },
      tiny: { type: 'boolean', default: false },
      'allow-software': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const chosen = operatorCases.filter(
    ({ name }) => values.only.length === 0 || values.only.some((start) => name.startsWith(start)),
  );
  if (chosen.length === 0) throw new Error(`no case begins so; there are ${operatorCases.map(({ name }) => name).join(', ')}`);
  if (!(Number(values.minutes) > 0)) throw new Error(`--minutes must be a number above 0, got '${values.minutes}'`);

  const folder = mkdtempSync(join(tmpdir(), 'mixfold-gpu-bench-'));
  const start = performance.now();
  const say = (text: string) => console.log(`[${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s] ${text}`);
  const report: GpuReport = {
    date: new Date().toISOString(),
    commit: archiveCommit,
    node: process.version,
    driver: '',
    loader: '',
    checks: [],
    cases: [],
    unchecked: uncheckedOperators(),
    seconds: 0,
    failed: false,
  };
  const save = () => {
    report.seconds = (performance.now() - start) / 1000;
    writeFileSync(resolve(values.json), `${JSON.stringify(report, null, 2)}\n`);
  };
  let worker: WorkerProcess | undefined;
  try {
    worker = await findDevice(folder, report, say, values['allow-software']);
    save();
    if (!worker) return 2;
    const run = new GpuRun({
      worker,
      report,
      say,
      save,
      start,
      deadline: start + 60_000 * Number(values.minutes),
      at: values.tiny ? 'check' : 'gpu',
      torchScript: values['no-torch'] || values['check-only'] ? undefined : join(import.meta.dirname, 'torch-server.py'),
    });
    await run.all(chosen, values['check-only']);
    save();
    printReport(report);
    console.log(`\nWritten to ${values.json}`);
    return report.failed ? 1 : 0;
  } finally {
    worker?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Tries the ways to reach a GPU until one gives an adapter, and says what each gave. */
async function findDevice(
  folder: string,
  report: GpuReport,
  say: (text: string) => void,
  allowSoftware: boolean,
): Promise<WorkerProcess | undefined> {
  const loader = loaderEnvironment(join(import.meta.dirname, 'lib'));
  report.loader = loader.about;
  say(`Vulkan loader: ${loader.about}`);
  if (loader.missing) {
    console.error(`error: ${loader.missing}`);
    return undefined;
  }
  const choices = driverChoices(folder);
  for (const choice of choices) {
    const worker = new WorkerProcess(process.argv[1]!, { XDG_RUNTIME_DIR: folder, ...loader.env, ...choice.env });
    try {
      const device = await worker.ask({ ask: 'describe' }, 30_000);
      say(`Vulkan driver ${choice.about}: ${device.name}${device.software ? ', a software adapter' : ''}`);
      if (!device.software || allowSoftware) {
        Object.assign(report, { driver: choice.about, device });
        say(device.timestamps ? 'timed by timestamp queries' : 'no timestamp queries: timed by the wall clock');
        return worker;
      }
    } catch (error) {
      say(`Vulkan driver ${choice.about}: ${(error as Error).message}`);
    }
    worker.close();
  }
  const none = choices.length === 0 ? 'no Vulkan driver was found' : 'no Vulkan driver gave a GPU';
  console.error(`error: ${none}${allowSoftware ? '' : ' (--allow-software takes a software adapter)'}\n  ${whatIsMissing()}`);
  return undefined;
}

if (process.env[workerMark]) serve();
else {
  const code = await main().catch((error: Error) => {
    console.error(`error: ${error.message}`);
    return 2;
  });
  // What still hangs on a driver or on Python holds nobody up.
  process.exit(code);
}
