import { defineCommand } from 'citty';
import { InputError } from '../input-error';
import { disposeParams } from '../model/params';
import { startDevice } from '../run/start-device';
import { generate } from '../training/generate';
import { checkArguments } from './check-arguments';
import { deviceOptions, readDevice } from './device-options';
import { loadRun } from './load-run';
import { printable } from './progress';
import { readInteger, readNumber, readText } from './read-options';

const options = {
  directory: { type: 'positional', required: true, description: 'Folder that mixfold train wrote' },
  prompt: { type: 'string', valueHint: 'TEXT', description: 'Text to go on from, no longer than the context of the run' },
  tokens: { type: 'string', valueHint: 'N', default: '400', description: 'Bytes to add' },
  temperature: {
    type: 'string',
    valueHint: 'X',
    default: '0.8',
    description: 'Below 1 keeps to the likely, 0 takes the likeliest always',
  },
  'top-k': { type: 'string', valueHint: 'N', default: '40', description: 'Draw from the N likeliest bytes only' },
  seed: { type: 'string', valueHint: 'N', default: '1', description: 'Of the draws' },
  ...deviceOptions,
} as const;

/** `mixfold sample`. */
export const sampleCommand = defineCommand({
  meta: { name: 'sample', description: 'Continue a text with the last checkpoint of a run' },
  args: options,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, options, args);
    const prompt = new TextEncoder().encode(readText('prompt', args.prompt));
    const drawing = {
      prompt,
      tokens: readInteger('tokens', args.tokens),
      temperature: readNumber('temperature', args.temperature, { zero: true }),
      topK: readInteger('top-k', args['top-k']),
      seed: readInteger('seed', args.seed, 0),
    };
    await startDevice(readDevice(args));
    const { config, model, params } = await loadRun(args.directory);
    if (prompt.length > config.context) {
      throw new InputError(
        `--prompt has ${prompt.length} bytes, but the model learnt to look at ${config.context}: shorten it, or train with a larger --context`,
      );
    }
    const drawn = await generate(model, params, drawing);
    disposeParams(params);
    const text = new TextDecoder().decode(Buffer.concat([prompt, drawn]));
    process.stdout.write(`${process.stdout.isTTY ? printable(text) : text}\n`);
  },
});
