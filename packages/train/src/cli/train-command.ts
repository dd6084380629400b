import { defineCommand } from 'citty';
import { runTraining } from '../run/run-training';
import { startDevice } from '../run/start-device';
import { checkArguments } from './check-arguments';
import { readDevice } from './device-options';
import { newRun } from './new-run';
import { progressOn } from './progress';
import { readInteger } from './read-options';
import { resumedRun } from './resumed-run';
import { STOPPED, stopOnInterrupt } from './stop-on-interrupt';
import { trainOptions } from './train-options';

/** `mixfold train`. */
export const trainCommand = defineCommand({
  meta: {
    name: 'train',
    description: 'Train a model; Ctrl-C stops after the step in progress and keeps the checkpoint (exit code 130)',
  },
  args: trainOptions,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, trainOptions, args);
    const stopAfter = args['stop-after'] === undefined ? undefined : readInteger('stop-after', args['stop-after']);
    const device = readDevice(args);
    const start = () => startDevice(device);
    const run = args.resume === undefined ? await newRun(args, start) : await resumedRun(args, start);
    const progress = progressOn(process.stdout);
    const { signal, release } = stopOnInterrupt();
    try {
      const { stopped } = await runTraining({ ...run, stopAfter, signal, onLine: (line) => progress.show(line) });
      return stopped ? STOPPED : 0;
    } finally {
      progress.close();
      release();
    }
  },
});
