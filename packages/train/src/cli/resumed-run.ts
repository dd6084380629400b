import { loadCheckpoint } from '../checkpoint/load-checkpoint';
import { InputError } from '../input-error';
import { checkParamsFit } from '../run/check-params-fit';
import { modelOf, parseRunConfig, readCorpusOf } from '../run/run-config';
import { readLog } from '../run/run-folder';
import type { Device } from '../run/start-device';
import type { PreparedRun } from './new-run';
import { type Given, readInteger, readText } from './read-options';

/** Options that a run keeps for good. */
const fixed = ['task', 'mixer', 'out', 'batch', 'context', 'dim', 'layers', 'rate', 'seed'];

/** A run that goes on from its last checkpoint. @throws InputError, CheckpointError */
export async function resumedRun(args: Record<string, unknown>, start: () => Promise<Device>): Promise<PreparedRun> {
  const directory = readText('resume', args.resume as Given);
  const changed = fixed.find((name) => args[name] !== undefined);
  if (changed)
    throw new InputError(
      `--${changed} cannot change with --resume: the run keeps its own; leave it out, or train anew without --resume`,
    );
  const steps = args.steps === undefined ? undefined : readInteger('steps', args.steps as Given);
  const data = args.data === undefined ? undefined : readText('data', args.data as Given);

  const device = await start();
  const { config: stored, ...state } = await loadCheckpoint(directory);
  const config = parseRunConfig(stored, directory);
  if (steps !== undefined) config.steps = steps;
  if (state.step >= config.steps) {
    throw new InputError(`--resume ${directory} has made its ${state.step} steps; go on with --steps N, more than ${state.step}`);
  }
  const corpus = await readCorpusOf(config, data);
  checkParamsFit(modelOf(config), state.params, directory);
  const log = (await readLog(directory)).filter((line) => line.event !== 'end' && Number(line.step) <= state.step);
  return { config, corpus, directory, device, state, log };
}
