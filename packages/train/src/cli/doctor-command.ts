import { defineCommand } from 'citty';
import { type Examination, examineDevice } from '../run/examine-device';
import { checkArguments } from './check-arguments';
import { deviceOptions, readDevice } from './device-options';

const options = {
  backend: deviceOptions.backend,
  'allow-software-gpu': { type: 'boolean', description: 'Take WebGPU without a GPU too' },
  json: { type: 'boolean', description: 'Print one JSON object' },
} as const;

/** `mixfold doctor`. */
export const doctorCommand = defineCommand({
  meta: {
    name: 'doctor',
    description: 'What this machine can compute with: what was tried, what was chosen and why, and how fast it is',
  },
  args: options,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, options, args);
    const { backend } = readDevice({ ...args, build: 'simd128', threads: 'auto' });
    const found = await examineDevice({ backend, allowSoftwareGpu: args['allow-software-gpu'] ?? false });
    process.stdout.write(args.json ? `${JSON.stringify(found)}\n` : `${describeExamination(found)}\n`);
  },
});

const mebibytes = (bytes: number) => `${bytes / 2 ** 20} MiB`;

/** The examination as a table of two columns. */
function describeExamination({ machine, versions, report, reason, features, limits, threads, rates }: Examination): string {
  const rows: [string, string[]][] = [
    ['machine', [`${machine.platform}, ${machine.cores} x ${machine.cpu}`]],
    ['versions', [`Node ${machine.node}`, ...Object.entries(versions).map(([name, version]) => `${name} ${version}`)]],
    ['chosen', [`${report.backend}: ${report.device}${report.software ? ' (a software GPU)' : ''}`, reason]],
    ['not taken', report.tried.map(({ backend, reason }) => `${backend}: ${reason}`)],
    ['features', [features.join(', ') || 'none to tell']],
    ['limits', Object.entries(limits).map(([name, limit]) => `${name} ${limit}`)],
    ['threads', threads ? [threads.reason ?? `1, or up to ${threads.auto} for large products of matrices`] : []],
    ['fused operators', [report.fused.join(', ') || 'none, all composed']],
    ...Object.entries(rates).map(([form, rate]): [string, string[]] => [
      form,
      [
        `matMul ${rate.matMulSize}^3 ${rate.matMulGflops.toFixed(1)} GFLOP/s`,
        `copy of ${mebibytes(rate.copyBytes)} ${rate.copyGigabytes.toFixed(1)} GB/s`,
      ],
    ]),
  ];
  const shown = rows.filter(([, lines]) => lines.length > 0);
  const width = Math.max(...shown.map(([name]) => name.length)) + 2;
  return shown.map(([name, lines]) => `${name.padEnd(width)}${lines.join(`\n${' '.repeat(width)}`)}`).join('\n');
}
