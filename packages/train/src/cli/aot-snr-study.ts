import { InputError } from '../input-error';
import { runStudy, type StudyConfig } from '../studies/aot-snr/run-study';
import { float32Words, studyCharts, studyPage } from '../studies/aot-snr/study-page';
import { type Given, readInteger, readNumber, readText } from './read-options';
import type { Study } from './study-command';

const defaults = {
  tokens: 256,
  dim: 256,
  'head-dim': 64,
  heads: 4,
  noise: '0.05,0.2',
  'step-size': 0.1,
  tau: 0.9,
  layers: 24,
  seeds: 3,
} as const;

/** `mixfold reproduce aot-snr`. */
export const aotSnrStudy: Study = {
  description: 'Signal against noise by depth in attention-only layers: the theorem, practice and plain softmax',
  options: {
    tokens: { type: 'string', valueHint: 'N', description: `Tokens of a mixture; default ${defaults.tokens}` },
    dim: { type: 'string', valueHint: 'N', description: `Dimensions of the space; default ${defaults.dim}` },
    'head-dim': { type: 'string', valueHint: 'N', description: `Dimensions of a subspace; default ${defaults['head-dim']}` },
    heads: { type: 'string', valueHint: 'N', description: `Subspaces; default ${defaults.heads}` },
    noise: {
      type: 'string',
      valueHint: 'X,...',
      description: `Deviations of the noise in the other subspaces, a chart each; default ${defaults.noise}`,
    },
    'step-size': {
      type: 'string',
      valueHint: 'X',
      description: `What a layer adds counts so much; default ${defaults['step-size']}`,
    },
    tau: { type: 'string', valueHint: 'X', description: `Threshold of the theorem's operator; default ${defaults.tau}` },
    layers: { type: 'string', valueHint: 'N', description: `Layers; default ${defaults.layers}` },
    seeds: { type: 'string', valueHint: 'N', description: `Mixtures, of seeds 1, 2, ...; default ${defaults.seeds}` },
  },

  async prepare(args) {
    const config = readConfig((option) => args[option] ?? String(defaults[option]));
    return async (_, show) => {
      const { seeds, noise, tokens, dim, headDim, heads, stepSize, tau, layers } = config;
      show(
        `${tokens} tokens in ${dim} dimensions, ${heads} subspaces of ${headDim}; noise ${noise.join(', ')}; step size ${stepSize}, tau ${tau}, ${layers} layers; seeds ${seeds.join(', ')}`,
        { event: 'start', ...config },
      );
      const result = await runStudy(config, (run, done, of) => {
        const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
        const [first, last] = [mean(run.snr[0]!), mean(run.snr.at(-1)!)];
        show(
          `${done}/${of}  noise ${run.noise}, ${run.operator}, seed ${run.seed}: ${first.toFixed(2)} to ${last.toFixed(2)}, ${run.exactLayers} layers as predicted, float32 differs by ${float32Words([run])}, ${run.seconds.toFixed(1)} s`,
          { event: 'run', done, of, ...run, snr: undefined, first, last, float32Difference: Math.max(...run.float32Difference) },
        );
      });
      return { result, files: { ...studyCharts(result), 'index.html': studyPage(result) } };
    };
  },
};

/** @throws InputError naming the option */
function readConfig(given: (option: keyof typeof defaults) => Given): StudyConfig {
  const config: StudyConfig = {
    tokens: readInteger('tokens', given('tokens')),
    dim: readInteger('dim', given('dim')),
    headDim: readInteger('head-dim', given('head-dim')),
    heads: readInteger('heads', given('heads'), 2),
    noise: readText('noise', given('noise'))
      .split(',')
      .map((one) => readNumber('noise', one)),
    stepSize: readNumber('step-size', given('step-size')),
    tau: readNumber('tau', given('tau')),
    layers: readInteger('layers', given('layers')),
    seeds: Array.from({ length: readInteger('seeds', given('seeds')) }, (_, i) => i + 1),
  };
  const { tokens, dim, headDim, heads, noise } = config;
  if (dim < heads * headDim) {
    throw new InputError(
      `--dim must be at least --heads times --head-dim, ${heads * headDim}, for the subspaces to be orthogonal, got ${dim}`,
    );
  }
  if (tokens < heads)
    throw new InputError(`--tokens must be at least --heads, ${heads}, so that no cluster is empty, got ${tokens}`);
  if (new Set(noise).size < noise.length) throw new InputError(`--noise names a number twice: ${noise.join(',')}`);
  return config;
}
