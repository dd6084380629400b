import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { mssaBinaries } from '../generated/mssa';
import type { MssaAttributes } from './mssa';
import { acceptsPhi } from './phi';

type Entry = 'forward' | 'backward';

const module = /* @__PURE__ */ defineWasmModule<Entry | 'forwardBytes' | 'backwardBytes'>(mssaBinaries);

/** A kernel whose arguments are the addresses of `tensors` in order (0 for an absent one), the working memory, sizes and options. */
function mssaKernel(entry: Entry, names: string): FusedKernel {
  const tensors = names.split(' ');
  return {
    accepts: acceptsPhi,
    run({ inputs, attributes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const kernels = module.exports(wasm);
      const [batch, target, dim] = inputs.tokens!.shape as [number, number, number];
      const [heads, , headDim] = inputs.subspaces!.shape as [number, number, number];
      const past = inputs.past?.shape[2] ?? 0;
      // A streaming call is always causal.
      const { causal = true, maskSelf, scale } = attributes as Partial<MssaAttributes> & MssaAttributes;
      const sizes = [target, past, dim, heads, headDim] as const;
      const bytes = kernels[`${entry}Bytes`](...sizes, Number(inputs.queryKeyGain !== undefined));
      return withScratch(wasm, bytes, (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
        kernels[entry](...tensors.map(addressOf), scratch, batch, ...sizes, Number(causal), Number(maskSelf), scale);
        return outputs;
      });
    },
  };
}

export const wasmMssa = /* @__PURE__ */ mssaKernel(
  'forward',
  'tokens subspaces output keyMask queryKeyGain past denoised projected mixed largest denominator',
);

export const wasmMssaBackward = /* @__PURE__ */ mssaKernel(
  'backward',
  'tokens subspaces output keyMask queryKeyGain projected mixed largest denominator dDenoised dProjected dTokens dSubspaces dOutput dQueryKeyGain dPast',
);
