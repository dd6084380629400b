import { OptionError } from '@mixfold/tensor-ops';
import { eye, reshape, type Tensor, tensor, tidy, transpose, zeros } from '@tensorflow/tfjs-core';
import { type ImageConfig, type ImageModelConfig, parseImageModelConfig } from '../model/image-model-config';
import { nestParams, type Params } from '../model/params';
import { patchCount, patchLength } from '../model/patch-embedding';
import { CheckpointError } from './checkpoint-error';
import { readSafetensors } from './read-safetensors';
import type { SafeTensor } from './safetensors-format';

/** A tensor of the public CRATE, and the weight that it is here. */
interface CrateWeight {
  /** Its name in a state dict. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Path in the params of `imageModel`. */
  readonly path: string;
  /** From PyTorch's order of axes to ours. */
  readonly turn?: (given: Tensor) => Tensor;
}

/**
 * Reads the weights of a public CRATE, a PyTorch state dict saved as safetensors, as params of `imageModel`: the same images give the same logits.
 *
 * @param bytes - the whole file. Names may all begin with `module.`, as `DataParallel` leaves them; half precision is widened.
 * @param config - that of the image model: the mixer `'crate'` with an untied output, as in `imageModelSizes['crate-t']`; sizes are not guessed from the file.
 * @returns The params. The caller disposes them.
 * @throws CheckpointError listing every tensor that is missing, unknown, or of another shape or type, at once, before a tensor is made; SafetensorsError for a file that is
 *   damaged; OptionError for a configuration that is no public CRATE.
 * @remarks Images are read as `[batch, height, width, channels]`, normalised as in training: with mean and deviation of ImageNet for published weights.
 * @see https://github.com/Ma-Lab-Berkeley/CRATE
 * @example
 * const params = readCrateWeights(await readFile('crate.safetensors'), imageModelSizes['crate-b']);
 */
export function readCrateWeights(bytes: Uint8Array, config: ImageModelConfig): Params {
  const parsed = parseImageModelConfig(config);
  if (parsed.mixer !== 'crate' || parsed.output !== 'untied' || parsed.stepSize !== 1 || parsed.learnStepSize) {
    throw new OptionError(
      "readCrateWeights: the public CRATE is an image model of mixer 'crate' with output 'untied' and a step size of 1, not learned; give such a configuration",
    );
  }
  const found = withoutPrefix(readSafetensors(bytes).tensors);
  const wanted = crateWeights(parsed);
  checkFit(found, wanted);
  const entries = wanted.map(({ name, path, turn }): [string, Tensor] => {
    const { data, shape } = found.get(name)!;
    return [path, tidy(() => (turn ?? ((given) => given))(tensor(data as Float32Array, shape, 'float32')))];
  });
  if (hasNoOutput(parsed)) entries.push(...identityOutputs(parsed));
  return nestParams(entries);
}

/** `DataParallel` puts a prefix before every name. */
function withoutPrefix(tensors: ReadonlyMap<string, SafeTensor>): ReadonlyMap<string, SafeTensor> {
  const prefix = 'module.';
  if (![...tensors.keys()].every((name) => name.startsWith(prefix))) return tensors;
  return new Map([...tensors].map(([name, value]) => [name.slice(prefix.length), value]));
}

function crateWeights(config: ImageConfig): CrateWeight[] {
  const { dim, layers, classes } = config;
  const [heads, headDim] = [config.heads, config.headDim!];
  const inner = heads * headDim;
  const length = patchLength(config);
  const norm = (name: string, path: string, size: number): CrateWeight[] => [
    { name: `${name}.weight`, shape: [size], path },
    { name: `${name}.bias`, shape: [size], path: `${path}Bias` },
  ];
  const linear = (name: string, path: string, biasPath: string, from: number, to: number): CrateWeight[] => [
    { name: `${name}.weight`, shape: [to, from], path, turn: (given) => transpose(given) },
    { name: `${name}.bias`, shape: [to], path: biasPath },
  ];
  const blocks = Array.from({ length: layers }, (_, layer): CrateWeight[] => {
    const [attention, sparse] = [`transformer.layers.${layer}.0`, `transformer.layers.${layer}.1`];
    const path = `blocks.${layer}`;
    const output: CrateWeight[] = [
      {
        name: `${attention}.fn.to_out.0.weight`,
        shape: [dim, inner],
        path: `${path}.mixer.output`,
        turn: (given) => transpose(reshape(given, [dim, heads, headDim]), [1, 2, 0]),
      },
      { name: `${attention}.fn.to_out.0.bias`, shape: [dim], path: `${path}.mixer.outputBias` },
    ];
    return [
      ...norm(`${attention}.norm`, `${path}.mixerNorm`, dim),
      {
        name: `${attention}.fn.qkv.weight`,
        shape: [inner, dim],
        path: `${path}.mixer.subspaces`,
        turn: (given) => transpose(reshape(given, [heads, headDim, dim]), [0, 2, 1]),
      },
      ...(hasNoOutput(config) ? [] : output),
      ...norm(`${sparse}.norm`, `${path}.istaNorm`, dim),
      // Tokens are rows there too, and the dictionary is used as it is.
      { name: `${sparse}.fn.weight`, shape: [dim, dim], path: `${path}.dictionary` },
    ];
  });
  const places = patchCount(config) + 1;
  return [
    ...norm('to_patch_embedding.1', 'patches.patchNorm', length),
    ...linear('to_patch_embedding.2', 'patches.weight', 'patches.bias', length, dim),
    ...norm('to_patch_embedding.3', 'patches.norm', dim),
    { name: 'pos_embedding', shape: [1, places, dim], path: 'positions', turn: (given) => reshape(given, [places, dim]) },
    { name: 'cls_token', shape: [1, 1, dim], path: 'classToken' },
    ...blocks.flat(),
    ...norm('mlp_head.0', 'norm', dim),
    ...linear('mlp_head.1', 'head', 'headBias', dim, classes),
  ];
}

/** One head as wide as the stream goes out as it is, in the public code. */
const hasNoOutput = ({ heads, headDim, dim }: ImageConfig): boolean => heads === 1 && headDim === dim;

const identityOutputs = ({ layers, dim }: ImageConfig): [string, Tensor][] =>
  Array.from({ length: layers }, (_, layer): [string, Tensor][] => [
    [`blocks.${layer}.mixer.output`, tidy(() => reshape(eye(dim), [1, dim, dim]))],
    [`blocks.${layer}.mixer.outputBias`, zeros([dim])],
  ]).flat();

function checkFit(found: ReadonlyMap<string, SafeTensor>, wanted: readonly CrateWeight[]): void {
  const names = new Set(wanted.map(({ name }) => name));
  const missing = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  const extra = [...found.keys()].filter((name) => !names.has(name));
  const misshapen = wanted.flatMap(({ name, shape }) => {
    const given = found.get(name);
    if (given === undefined) return [];
    if (!(given.data instanceof Float32Array)) return [`${name} of ${given.dtype}, not floating point`];
    const fits = given.shape.length === shape.length && given.shape.every((length, axis) => length === shape[axis]);
    return fits ? [] : [`${name} [${given.shape.join(', ')}], not [${shape.join(', ')}]`];
  });
  const faults = [
    ['missing', missing],
    ['not of this model', extra.map((name) => JSON.stringify(name))],
    ['of another shape', misshapen],
  ] as const;
  const told = faults.filter(([, list]) => list.length > 0).map(([what, list]) => `${what}: ${list.join(', ')}`);
  if (told.length > 0) throw new CheckpointError(`readCrateWeights: the state dict does not fit; ${told.join('; ')}`);
}
