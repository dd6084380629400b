import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { aftFullBinaries } from '../generated/aft-full';
import { type QueryActivation, queryActivations } from '../query-activation';
import { count } from './fallback-share';

type Entry = 'forward' | 'backward';
type Count = 'tiledElements' | 'tiledExponents';

const module = /* @__PURE__ */ defineWasmModule<Entry | Count | 'forwardBytes' | 'backwardBytes'>(aftFullBinaries);

/**
 * A kernel whose arguments are the addresses of `tensors` in order (0 for an absent one), the working memory, the sizes and the options: the form
 * of both entries of assembly/aft-full.kernel.ts. The bias is dense, or it is absent and its factors are there.
 */
function fullKernel(entry: Entry, names: string): FusedKernel {
  const tensors = names.split(' ');
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const kernels = module.exports(wasm);
      const { batch, target, source, dim, rank = 0 } = sizes as Record<string, number>;
      const extents = [batch!, target!, source!, dim!, rank, Number(attributes.causal)] as const;
      const activation = queryActivations.indexOf(attributes.queryActivation as QueryActivation);
      return withScratch(wasm, kernels[`${entry}Bytes`](...extents), (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
        const redone = kernels[entry](...tensors.map(addressOf), scratch, ...extents, activation);
        count(batch! * target! * dim!, redone, kernels.tiledElements(), kernels.tiledExponents());
        return outputs;
      });
    },
  };
}

/** Both kinds of bias. */
export const wasmAftFull = /* @__PURE__ */ fullKernel(
  'forward',
  'query key value positionBias u v keyMask output context logNormalizer',
);

export const wasmAftFullBackward = /* @__PURE__ */ fullKernel(
  'backward',
  'query key value positionBias u v keyMask context logNormalizer dOutput dQuery dKey dValue dPositionBias dU dV',
);
