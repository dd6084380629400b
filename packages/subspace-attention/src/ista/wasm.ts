import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  tensorPointer,
  type WasmBackend,
  wasmMatrixProduct,
} from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { istaBinaries } from '../generated/ista';
import { foldsDictionary } from './folds-dictionary';

const module = /* @__PURE__ */ defineWasmModule<'combine' | 'receive' | 'addTranspose'>(istaBinaries);

interface Combined {
  /** What is added: `share` (default 1) times it. */
  readonly addend: TensorInfo;
  readonly share?: number;
  /** Of what is there. */
  readonly factor: number;
  readonly shift?: number;
  readonly floor?: number;
}

/** The steps of both kernels; what is made on the way is freed by `release`. */
class Steps {
  readonly rows: number;
  readonly dim: number;
  readonly #wasm: WasmBackend;
  readonly #kernels: ReturnType<typeof module.exports>;
  readonly #made: TensorInfo[] = [];

  constructor({ backend, sizes }: KernelCall) {
    this.#wasm = backend as WasmBackend;
    this.#kernels = module.exports(this.#wasm);
    this.rows = sizes.batch! * sizes.tokens!;
    this.dim = sizes.dim!;
  }

  /** The same memory as one matrix. */
  tall(x: TensorInfo): TensorInfo {
    return { ...x, shape: [this.rows, this.dim] };
  }

  /** The product of two matrices. */
  product(a: TensorInfo, b: TensorInfo, transposed: { a?: boolean; b?: boolean } = {}): TensorInfo {
    return this.#keep(wasmMatrixProduct(this.#wasm, a, b, transposed.a ?? false, transposed.b ?? false));
  }

  /** In place. */
  combine(out: TensorInfo, { addend, share = 1, factor, shift = 0, floor = Number.NEGATIVE_INFINITY }: Combined): TensorInfo {
    this.#kernels.combine(this.#at(out), this.#at(addend), util.sizeFromShape(out.shape), share, factor, shift, floor);
    return out;
  }

  receive(codes: TensorInfo, dOutput: TensorInfo): TensorInfo {
    const received = this.#keep(this.#wasm.makeOutput([this.rows, this.dim], 'float32'));
    this.#kernels.receive(this.#at(codes), this.#at(dOutput), this.#at(received), this.rows * this.dim);
    return received;
  }

  addTranspose(x: TensorInfo): TensorInfo {
    const sum = this.#keep(this.#wasm.makeOutput(x.shape, 'float32'));
    this.#kernels.addTranspose(this.#at(x), this.#at(sum), this.dim);
    return sum;
  }

  /** D - D^T D. */
  fold(dictionary: TensorInfo): TensorInfo {
    return this.combine(this.product(dictionary, dictionary, { a: true }), { addend: dictionary, factor: -1 });
  }

  /** Frees what was made, but for the results. */
  release(results: Record<string, TensorInfo>): Record<string, TensorInfo> {
    const kept = Object.values(results).map(({ dataId }) => dataId);
    for (const { dataId } of this.#made) if (!kept.includes(dataId)) this.#wasm.disposeData(dataId);
    return results;
  }

  #keep(info: TensorInfo): TensorInfo {
    this.#made.push(info);
    return info;
  }

  #at(info: TensorInfo): number {
    return tensorPointer(this.#wasm, info);
  }
}

/** One or two products of all rows, each with what follows it in one pass. */
export const wasmIsta: FusedKernel = {
  run(call) {
    const { tokens, dictionary } = call.inputs as Record<'tokens' | 'dictionary', TensorInfo>;
    const { stepSize, threshold } = call.attributes as { stepSize: number; threshold: number };
    const steps = new Steps(call);
    const rows = steps.tall(tokens);
    let step: TensorInfo;
    if (foldsDictionary([steps.rows, steps.dim])) step = steps.product(rows, steps.fold(dictionary));
    else {
      const explained = steps.product(rows, dictionary, { b: true });
      step = steps.product(steps.combine(explained, { addend: rows, factor: -1 }), dictionary);
    }
    const codes = steps.combine(step, { addend: rows, factor: stepSize, shift: -stepSize * threshold, floor: 0 });
    return steps.release({ output: { ...codes, shape: call.outputShapes.output! } });
  },
};

/** As the composed form: nothing of the forward pass is made again but D - D^T D. */
export const wasmIstaBackward: FusedKernel = {
  run(call) {
    const { tokens, dictionary, output, dOutput } = call.inputs as Record<string, TensorInfo>;
    const { stepSize } = call.attributes as { stepSize: number };
    const steps = new Steps(call);
    const received = steps.receive(output!, dOutput!);
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dTokens) {
      let step: TensorInfo;
      if (foldsDictionary([steps.rows, steps.dim])) step = steps.product(received, steps.fold(dictionary!), { b: true });
      else {
        const dRest = steps.product(received, dictionary!, { b: true });
        step = steps.combine(steps.product(dRest, dictionary!), { addend: dRest, factor: -1 });
      }
      const dTokens = steps.combine(step, { addend: received, factor: stepSize });
      made.dTokens = { ...dTokens, shape: call.outputShapes.dTokens };
    }
    if (call.outputShapes.dDictionary) {
      const gradient = steps.product(steps.tall(tokens!), received, { a: true });
      const product = steps.product(dictionary!, steps.addTranspose(gradient));
      made.dDictionary = steps.combine(product, { addend: gradient, share: stepSize, factor: -stepSize });
    }
    return steps.release(made);
  },
};
