import { defineCommand } from 'citty';
import { readTextCorpus } from '../data/read-text-corpus';
import { disposeParams } from '../model/params';
import { readCorpusOf } from '../run/run-config';
import { startDevice } from '../run/start-device';
import { evaluate } from '../training/evaluate';
import { checkArguments } from './check-arguments';
import { deviceOptions, readDevice } from './device-options';
import { loadRun } from './load-run';
import { readText } from './read-options';

const options = {
  directory: { type: 'positional', required: true, description: 'Folder that mixfold train wrote' },
  data: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Measure another text, all its held-out blocks; default the text of the run',
  },
  ...deviceOptions,
} as const;

/** `mixfold eval`. */
export const evalCommand = defineCommand({
  meta: { name: 'eval', description: 'Measure the last checkpoint of a run on all of the validation text' },
  args: options,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, options, args);
    await startDevice(readDevice(args));
    const { config, step, model, params } = await loadRun(args.directory);
    const corpus =
      args.data === undefined ? await readCorpusOf(config) : await readTextCorpus(readText('data', args.data), config.context);
    const reached = await evaluate(model, params, corpus.validation, { context: config.context, batch: config.batch });
    disposeParams(params);
    if (!process.stdout.isTTY) {
      process.stdout.write(`${JSON.stringify({ event: 'evaluate', step, ...reached, ...corpus.entropy })}\n`);
      return;
    }
    const { order0, order1 } = corpus.entropy;
    process.stdout.write(
      `Validation  ${reached.loss.toFixed(3)} nats per byte, ${reached.bitsPerByte.toFixed(3)} bits, over ${reached.bytes} bytes, after step ${step}\n` +
        `Entropy     order 0: ${order0.toFixed(3)}, order 1: ${order1.toFixed(3)} nats\n`,
    );
  },
});
