import { defineOperator, ShapeError } from '@mixfold/tensor-ops';
import { add, concat, reshape, slice, type Tensor } from '@tensorflow/tfjs-core';
import { finish, type Inputs, project, projectBackward, type Received, startBackward } from './composed';
import type { MssaAttributes } from './mssa';
import { phiKinds } from './phi';
import { wasmMssa, wasmMssaBackward } from './wasm';
import { webgpuMssaStreaming, webgpuMssaStreamingBackward } from './webgpu-streaming';

type StreamingAttributes = Omit<MssaAttributes, 'causal'>;

const attributes: StreamingAttributes = { scale: 1, maskSelf: false, phi: 'softmax', tau: 0, straightThrough: false };

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The shape of all projected tokens. A mask speaks of all sources. */
function allProjected({ tokens, subspaces, past, keyMask }: Shapes): Shapes {
  const [batch, target] = tokens as [number, number, number];
  const [heads, , headDim] = subspaces as [number, number, number];
  const source = target + (past?.[2] ?? 0);
  if (keyMask && keyMask[1] !== source)
    throw new ShapeError(`mssaPrefill: keyMask must have ${source} sources, those of the state among them, got ${keyMask[1]}`);
  return { '...projected': [batch, heads, source, headDim] };
}

/** The gradient of `mssaStreamingOperator`. */
export const mssaStreamingBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'MssaStreamingBackward',
  publicName: 'mssaPrefill',
  inputs: {
    tokens: 'batch target dim',
    subspaces: 'heads dim headDim',
    'output?': 'heads headDim dim',
    'keyMask?': 'batch source',
    'past?': 'batch heads past headDim',
    projected: '...projected',
    mixed: 'batch heads target headDim',
    largest: 'batch heads target',
    denominator: 'batch heads target',
    dDenoised: 'batch target dim',
    dProjected: '...projected',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules: { phi: phiKinds },
  outputs: {
    dTokens: 'batch target dim',
    dSubspaces: 'heads dim headDim',
    'dOutput?': 'heads headDim dim',
    'dPast?': 'batch heads past headDim',
  },
  compose(inputs, options) {
    const { past, dProjected: arrived } = inputs;
    const { dMap, dProjected } = startBackward(inputs as Inputs & Received, { ...options, causal: true });
    const all = add(dProjected!, reshape(arrived, dProjected!.shape));
    const before = past?.shape[2] ?? 0;
    const own = slice(all, [0, before, 0], [-1, -1, -1]);
    const gradients = projectBackward(inputs as Inputs, own, dMap!);
    return past === undefined ? gradients : { ...gradients, dPast: reshape(slice(all, [0, 0, 0], [-1, before, -1]), past.shape) };
  },
  kernels: { wasm: wasmMssaBackward, webgpu: webgpuMssaStreamingBackward },
});

/** Causal `mssa` of tokens that follow others, of which the projections are all that is needed. `projected` are those of both. */
export const mssaStreamingOperator = /* @__PURE__ */ defineOperator({
  name: 'MssaStreaming',
  publicName: 'mssaPrefill',
  inputs: {
    tokens: 'batch target dim',
    subspaces: 'heads dim headDim',
    'output?': 'heads headDim dim',
    'keyMask?': 'batch source',
    'past?': 'batch heads past headDim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules: { phi: phiKinds },
  outputs: { denoised: 'batch target dim', projected: '...projected' },
  saved: { mixed: 'batch heads target headDim', largest: 'batch heads target', denominator: 'batch heads target' },
  shapes: allProjected,
  compose(inputs, options, { outputShapes }) {
    const own = project(inputs);
    const { past } = inputs;
    const before = past && (reshape(past, [own.shape[0]!, -1, own.shape[2]!]) as Tensor);
    const projected = before ? concat([before, own], 1) : own;
    const made = finish(projected, inputs, { ...options, causal: true });
    return { ...made, projected: reshape(projected, outputShapes.projected!) };
  },
  kernels: { wasm: wasmMssa, webgpu: webgpuMssaStreaming },
  backward: mssaStreamingBackwardOperator,
});
