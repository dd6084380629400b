import {
  defineWasmModule,
  dropoutPlan,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import { scaledDotProductAttentionBinaries } from '../generated/scaled-dot-product-attention';
import { type AttentionAttributes, pairStrides } from './pair-shape';

type Entry = 'forward' | 'backward';

const module = /* @__PURE__ */ defineWasmModule<Entry | 'forwardBytes' | 'backwardBytes'>(scaledDotProductAttentionBinaries);

/** A kernel whose arguments are the addresses of `tensors` in order (0 for an absent one), the working memory, sizes and options. */
function attentionKernel(entry: Entry, names: string): FusedKernel {
  const tensors = names.split(' ');
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const kernels = module.exports(wasm);
      const { batch, heads, keyHeads, target, source, headDim, valueDim } = sizes as Record<string, number>;
      const lengths = [target!, source!, headDim!, valueDim!] as const;
      const strides = [inputs.mask, inputs.bias].flatMap((pairs) => {
        return pairs === undefined ? [0, 0, 0] : pairStrides(pairs.shape).map((elements) => 4 * elements);
      });
      const { causal, scale, rate, seed } = attributes as AttentionAttributes;
      const { threshold, first, second, scale: keep } = dropoutPlan({ rate, seed });
      return withScratch(wasm, kernels[`${entry}Bytes`](...lengths), (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
        const biasBytes = inputs.bias === undefined ? 0 : 4 * util.sizeFromShape(inputs.bias.shape);
        kernels[entry](
          ...tensors.map(addressOf),
          scratch,
          ...[batch!, heads!, keyHeads!, ...lengths, Number(causal), scale],
          ...strides,
          ...[threshold, first, second, keep],
          ...(entry === 'backward' ? [biasBytes] : []),
        );
        return outputs;
      });
    },
  };
}

export const wasmAttention = /* @__PURE__ */ attentionKernel('forward', 'query key value mask bias output largest denominator');

export const wasmAttentionBackward = /* @__PURE__ */ attentionKernel(
  'backward',
  'query key value mask bias output largest denominator dOutput dQuery dKey dValue dBias',
);
