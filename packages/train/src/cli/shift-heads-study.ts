import { readTextCorpus } from '../data/read-text-corpus';
import { plottingLibrary } from '../page/plotting-library';
import { runStudy } from '../studies/shift-heads/run-study';
import { studyPage } from '../studies/shift-heads/study-page';
import { type Given, readInteger, readNumber, readText } from './read-options';
import type { Study } from './study-command';

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

/** `mixfold reproduce shift-heads`. */
export const shiftHeadsStudy: Study = {
  description: 'Do trained attention heads act like shifts, and what does a structured convolution lose with fewer numbers?',
  options: {
    data: {
      type: 'string',
      valueHint: 'FILE',
      description: "Text to learn; default the declarations of TypeScript's standard library",
    },
    steps: { type: 'string', valueHint: 'N', description: `Steps of every training; default ${defaults.steps}` },
    seeds: { type: 'string', valueHint: 'N', description: `How often each model is trained; default ${defaults.seeds}` },
    batch: { type: 'string', valueHint: 'N', description: `Sequences of a step; default ${defaults.batch}` },
    context: { type: 'string', valueHint: 'N', description: `Bytes of a sequence; default ${defaults.context}` },
    dim: { type: 'string', valueHint: 'N', description: `Width of the models; default ${defaults.dim}` },
    layers: { type: 'string', valueHint: 'N', description: `Blocks of the models; default ${defaults.layers}` },
    heads: { type: 'string', valueHint: 'N', description: `Attention heads; default ${defaults.heads}` },
    windows: {
      type: 'string',
      valueHint: 'N',
      description: `Held-out windows to measure on; default ${defaults.windows}`,
    },
    rate: { type: 'string', valueHint: 'X', description: `Highest learning rate; default ${defaults.rate}` },
  },

  async prepare(args) {
    const given = (option: keyof typeof defaults): Given => args[option] ?? String(defaults[option]);
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
    const corpus = await readTextCorpus(args.data === undefined ? undefined : readText('data', args.data), config.context);
    return async (_, show) => {
      const result = await runStudy(corpus, config, (run, done, of) => {
        const { model, seed, loss, weights, seconds } = run;
        const text = `${done}/${of}  ${model}, seed ${seed}: ${loss.toFixed(4)} nats per byte, ${weights} weights, ${seconds.toFixed(0)} s`;
        show(text, { event: 'run', done, of, ...run, trainingLosses: undefined });
      });
      return { result, files: { 'index.html': studyPage(result, await plottingLibrary()) } };
    };
  },
};
