import { mixerNames } from '../model/mixers';
import { deviceOptions } from './device-options';

/** Sizes and rates of a run that names none: they learn to mix within two minutes on one core. */
export const defaults = { steps: 200, batch: 16, context: 128, dim: 128, layers: 3, rate: 0.003, seed: 1 } as const;

/**
 * Options of `mixfold train`. Those without a default here are filled in by `newRun`, for a resumed run takes them from its
 * checkpoint.
 */
export const trainOptions = {
  task: { type: 'string', valueHint: 'text', description: 'What to learn; default text' },
  mixer: { type: 'string', valueHint: mixerNames.join('|'), description: 'How tokens see earlier ones; default aft-simple' },
  data: {
    type: 'string',
    valueHint: 'FILE',
    description: "Text to learn; default the declarations of TypeScript's standard library",
  },
  out: { type: 'string', valueHint: 'DIR', description: 'Folder of the run; default runs/TASK-MIXER' },
  resume: { type: 'string', valueHint: 'DIR', description: 'Go on with the run in this folder, with its options' },
  steps: { type: 'string', valueHint: 'N', description: `Steps in all; default ${defaults.steps}` },
  'stop-after': { type: 'string', valueHint: 'N', description: 'Stop after step N, as Ctrl-C does' },
  batch: { type: 'string', valueHint: 'N', description: `Sequences of a step; default ${defaults.batch}` },
  context: { type: 'string', valueHint: 'N', description: `Bytes of a sequence; default ${defaults.context}` },
  dim: { type: 'string', valueHint: 'N', description: `Width of the model; default ${defaults.dim}` },
  layers: { type: 'string', valueHint: 'N', description: `Blocks of the model; default ${defaults.layers}` },
  rate: { type: 'string', valueHint: 'X', description: `Highest learning rate; default ${defaults.rate}` },
  seed: { type: 'string', valueHint: 'N', description: `Of weights and batches; default ${defaults.seed}` },
  ...deviceOptions,
} as const;
