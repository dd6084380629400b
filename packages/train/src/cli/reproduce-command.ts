import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineCommand } from 'citty';
import { writeFileAtomically } from '../checkpoint/write-file-atomically';
import { readTextCorpus } from '../data/read-text-corpus';
import { InputError } from '../input-error';
import { checkRunFolder } from '../run/run-folder';
import { startDevice } from '../run/start-device';
import { runStudy } from '../studies/shift-heads/run-study';
import { studyPage } from '../studies/shift-heads/study-page';
import { checkArguments } from './check-arguments';
import { deviceOptions, readDevice } from './device-options';
import { type Given, readInteger, readNumber, readText } from './read-options';

const defaults = {
  steps: 600,
  seeds: 3,
  batch: 16,
  context: 64,
  dim: 64,
  layers: 2,
  heads: 4,
  windows: 256,
  rate: 0.003,
} as const;

const options = {
  name: { type: 'positional', required: true, description: 'Which study: shift-heads' },
  data: {
    type: 'string',
    valueHint: 'FILE',
    description: "Text to learn; default the declarations of TypeScript's standard library",
  },
  out: { type: 'string', valueHint: 'DIR', description: 'Folder of result.json and index.html; default runs/NAME' },
  steps: { type: 'string', valueHint: 'N', description: `Steps of every training; default ${defaults.steps}` },
  seeds: { type: 'string', valueHint: 'N', description: `How often each model is trained; default ${defaults.seeds}` },
  batch: { type: 'string', valueHint: 'N', description: `Sequences of a step; default ${defaults.batch}` },
  context: { type: 'string', valueHint: 'N', description: `Bytes of a sequence; default ${defaults.context}` },
  dim: { type: 'string', valueHint: 'N', description: `Width of the models; default ${defaults.dim}` },
  layers: { type: 'string', valueHint: 'N', description: `Blocks of the models; default ${defaults.layers}` },
  heads: { type: 'string', valueHint: 'N', description: `Attention heads; default ${defaults.heads}` },
  windows: { type: 'string', valueHint: 'N', description: `Held-out windows to measure on; default ${defaults.windows}` },
  rate: { type: 'string', valueHint: 'X', description: `Highest learning rate; default ${defaults.rate}` },
  ...deviceOptions,
} as const;

/** `mixfold reproduce`. */
export const reproduceCommand = defineCommand({
  meta: { name: 'reproduce', description: 'Run a study of a paper from nothing, to figures as JSON and a page' },
  args: options,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, options, args);
    const { name } = args;
    if (name !== 'shift-heads') throw new InputError(`there is no study '${name}'; the studies are shift-heads`);
    const directory = args.out === undefined ? `runs/${name}` : readText('out', args.out as Given);
    const given = (option: keyof typeof defaults) => (args[option] ?? String(defaults[option])) as Given;
    const config = {
      steps: readInteger('steps', given('steps'), 4),
      seeds: readInteger('seeds', given('seeds')),
      batch: readInteger('batch', given('batch')),
      context: readInteger('context', given('context'), 4),
      dim: readInteger('dim', given('dim')),
      layers: readInteger('layers', given('layers')),
      heads: readInteger('heads', given('heads'), 2),
      windows: readInteger('windows', given('windows')),
      rate: readNumber('rate', given('rate')),
    };
    await checkRunFolder(directory, isStudy);
    const corpus = await readTextCorpus(
      args.data === undefined ? undefined : readText('data', args.data as Given),
      config.context,
    );
    const device = await startDevice(readDevice(args));
    await makeFolder(directory);
    const result = await runStudy(corpus, config, (run, done, of) => {
      process.stdout.write(
        process.stdout.isTTY
          ? `${done}/${of}  ${run.model}, seed ${run.seed}: ${run.loss.toFixed(4)} nats per byte, ${run.weights} weights, ${run.seconds.toFixed(0)} s\n`
          : `${JSON.stringify({ event: 'run', done, of, ...run, trainingLosses: undefined })}\n`,
      );
    });
    const uplot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
    const [script, style] = await Promise.all(
      ['uPlot.iife.min.js', 'uPlot.min.css'].map((file) => readFile(join(uplot, 'dist', file), 'utf8')),
    );
    await writeFileAtomically(join(directory, 'result.json'), `${JSON.stringify({ study: name, device, ...result }, null, 1)}\n`);
    await writeFileAtomically(join(directory, 'index.html'), studyPage(result, { script: script!, style: style! }));
    process.stdout.write(
      process.stdout.isTTY ? `${join(directory, 'index.html')}\n` : `${JSON.stringify({ event: 'end', directory })}\n`,
    );
  },
});

/** Whether a folder holds the result of a study. */
async function isStudy(directory: string): Promise<boolean> {
  try {
    const result = JSON.parse(await readFile(join(directory, 'result.json'), 'utf8')) as { study?: unknown } | null;
    return typeof result?.study === 'string';
  } catch {
    return false;
  }
}

async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new InputError(
      `--out ${directory} cannot be written (${(error as NodeJS.ErrnoException).code}); give another folder with --out`,
    );
  }
}
