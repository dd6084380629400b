import { resolve } from 'node:path';
import { readTextCorpus } from '../data/read-text-corpus';
import { mixerNames } from '../model/mixers';
import { digestOfCorpus, type RunConfig } from '../run/run-config';
import { checkRunFolder } from '../run/run-folder';
import type { TrainingRun } from '../run/run-training';
import type { Device } from '../run/start-device';
import { type Given, readChoice, readInteger, readNumber, readText } from './read-options';
import { defaults } from './train-options';

/** What a run starts from; nothing has been written yet. */
export type PreparedRun = Pick<TrainingRun, 'config' | 'corpus' | 'directory' | 'device' | 'state' | 'log'>;

/** A run from its first step, as the options say. @throws InputError */
export async function newRun(args: Record<string, unknown>, start: () => Promise<Device>): Promise<PreparedRun> {
  const given = (name: keyof typeof defaults) => (args[name] ?? String(defaults[name])) as Given;
  const task = readChoice('task', (args.task ?? 'text') as Given, ['text']);
  const mixer = readChoice('mixer', (args.mixer ?? 'aft-simple') as Given, mixerNames);
  const directory = args.out === undefined ? `runs/${task}-${mixer}` : readText('out', args.out as Given);
  const data = args.data === undefined ? undefined : readText('data', args.data as Given);
  const sizes = {
    steps: readInteger('steps', given('steps')),
    batch: readInteger('batch', given('batch')),
    context: readInteger('context', given('context')),
    dim: readInteger('dim', given('dim')),
    layers: readInteger('layers', given('layers')),
    rate: readNumber('rate', given('rate')),
    seed: readInteger('seed', given('seed'), 0),
  };
  await checkRunFolder(directory);
  const corpus = await readTextCorpus(data, sizes.context);
  const config: RunConfig = {
    format: 'mixfold run 1',
    task,
    mixer,
    data: data === undefined ? null : resolve(data),
    textSha256: digestOfCorpus(corpus),
    ...sizes,
  };
  return { config, corpus, directory, device: await start() };
}
