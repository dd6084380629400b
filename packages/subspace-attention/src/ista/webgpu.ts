import {
  acceptsBindings,
  type FusedKernel,
  type GemmOperand,
  type KernelCall,
  runGemm,
  webGpuBackend,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { foldsDictionary } from './folds-dictionary';

/** One factor of a product, `[.., dim]` in memory as all matrices here are. */
interface Factor {
  /** WGSL of the element at `i` in memory. */
  readonly element: string;
  /** WGSL of four elements at once, at `i / 4u` of inputs bound as vectors. */
  readonly quad?: string | undefined;
  readonly transposed?: boolean;
}

/** WGSL of the gradient that arrives at codes above 0. */
const received = (i: string, zero: string) => `select(${zero}, dOutput[${i}], output[${i}] > ${zero})`;

/** A tensor as it is. Where lines of memory run along the result, four neighbours are read at once. */
const plain = (name: string, dim: number, transposed = false): Factor => ({
  element: `${name}[i]`,
  transposed,
  quad: dim % 4 === 0 ? `${name}[i / 4u]` : undefined,
});

function operandOf({ element, quad, transposed = false }: Factor, side: 'row' | 'column'): GemmOperand {
  const isWide = transposed === (side === 'row');
  const i = `let i = ${isWide ? `k * uniforms.columns + ${side}` : `${side} * uniforms.columns + k`};`;
  return {
    neighbours: isWide ? 'width' : 'depth',
    element: `${i} return ${element};`,
    ...(isWide && quad !== undefined ? { quad: `${i} return ${quad};` } : {}),
  };
}

interface Product {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  /** Inputs that are read by four. */
  readonly vectors?: readonly string[] | undefined;
  readonly shape: number[];
  readonly rows: number;
  readonly depth: number;
  readonly left: Factor;
  readonly right: Factor;
  /** WGSL of what the product `value0` comes to at `i` of the result. */
  readonly result: string;
  readonly uniforms?: Readonly<Record<string, number>>;
}

/** The products of one call, all of `dim` columns; what is made on the way is freed by `release`. */
class Products {
  readonly rows: number;
  readonly dim: number;
  /** Whether four neighbours in memory belong to one row. */
  readonly byFour: boolean;
  readonly #backend: ReturnType<typeof webGpuBackend>;
  readonly #made: TensorInfo[] = [];

  constructor({ backend, sizes }: KernelCall) {
    this.#backend = webGpuBackend(backend);
    this.rows = sizes.batch! * sizes.tokens!;
    this.dim = sizes.dim!;
    this.byFour = this.dim % 4 === 0;
  }

  run({ name, inputs, vectors = [], shape, rows, depth, left, right, result, uniforms = {} }: Product): TensorInfo {
    const { made } = runGemm(this.#backend, {
      name,
      size: { batches: 1, rows, columns: this.dim, depth },
      inputs,
      vectors: this.byFour ? vectors : [],
      outputs: { made: { shape } },
      uniforms: Object.fromEntries(Object.entries(uniforms).map(([key, value]) => [key, { type: 'f32', value }])),
      left: operandOf(left, 'row'),
      rights: [operandOf(right, 'column')],
      store: `let i = row * uniforms.columns + column; made[i] = ${result};`,
    });
    this.#made.push(made);
    return made;
  }

  /** D - D^T D. */
  fold(dictionary: TensorInfo): TensorInfo {
    const { dim, byFour } = this;
    return this.run({
      name: 'IstaFold',
      inputs: { dictionary },
      vectors: ['dictionary'],
      shape: [dim, dim],
      rows: dim,
      depth: dim,
      left: plain('dictionary', dim, true),
      right: plain('dictionary', dim),
      result: byFour ? 'dictionary[i / 4u][i % 4u] - value0' : 'dictionary[i] - value0',
    });
  }

  /** Frees what was made, but for the results. */
  release(results: Record<string, TensorInfo>): Record<string, TensorInfo> {
    const kept = Object.values(results).map(({ dataId }) => dataId);
    for (const { dataId } of this.#made) if (!kept.includes(dataId)) this.#backend.disposeData(dataId);
    return results;
  }
}

/** Two products, of which the second ends in the codes: x by D - D^T D, or what the dictionary leaves of x by D. */
export const webgpuIsta: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { tokens, dictionary } = call.inputs as Record<'tokens' | 'dictionary', TensorInfo>;
    const { stepSize, threshold } = call.attributes as { stepSize: number; threshold: number };
    const products = new Products(call);
    const { rows, dim } = products;
    const shape = call.outputShapes.output!;
    const [factor, matrix] = foldsDictionary([rows, dim])
      ? [tokens, products.fold(dictionary)]
      : [products.run(restOf(products, tokens, dictionary)), dictionary];
    const output = products.run({
      name: 'IstaShader',
      inputs: { tokens, factor, dictionary: matrix },
      vectors: ['dictionary'],
      shape,
      rows,
      depth: dim,
      left: plain('factor', dim),
      right: plain('dictionary', dim),
      result: 'max(tokens[i] + uniforms.stepSize * value0 - uniforms.shift, 0.0)',
      uniforms: { stepSize, shift: stepSize * threshold },
    });
    return products.release({ output });
  },
};

/** x - x D^T. */
const restOf = ({ rows, dim }: Products, tokens: TensorInfo, dictionary: TensorInfo): Product => ({
  name: 'IstaRest',
  inputs: { tokens, dictionary },
  shape: [rows, dim],
  rows,
  depth: dim,
  left: plain('tokens', dim),
  right: plain('dictionary', dim, true),
  result: 'tokens[i] - value0',
});

/** Two products for the tokens with few of them three, and two for the dictionary; the gradient that arrives is selected where it is read. */
export const webgpuIstaBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { tokens, dictionary, output, dOutput } = call.inputs as Record<string, TensorInfo>;
    const { stepSize } = call.attributes as { stepSize: number };
    const products = new Products(call);
    const { rows, dim, byFour } = products;
    const arriving = { output: output!, dOutput: dOutput! };
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dTokens) {
      const isFolded = foldsDictionary([rows, dim]);
      const matrix = isFolded ? products.fold(dictionary!) : dictionary!;
      const back = {
        inputs: { ...arriving, dictionary: matrix },
        shape: call.outputShapes.dTokens,
        rows,
        depth: dim,
        left: { element: received('i', '0.0') },
        right: plain('dictionary', dim, true),
      };
      const whole = (value: string) => ({
        result: `${received('i', '0.0')} + uniforms.stepSize * (${value})`,
        uniforms: { stepSize },
      });
      if (isFolded) made.dTokens = products.run({ name: 'IstaBackwardFolded', ...back, ...whole('value0') });
      else {
        const dRest = products.run({ name: 'IstaBackwardRest', ...back, result: 'value0' });
        made.dTokens = products.run({
          name: 'IstaBackwardTokens',
          ...back,
          inputs: { ...arriving, dRest, dictionary: matrix },
          vectors: ['dictionary'],
          left: plain('dRest', dim),
          right: plain('dictionary', dim),
          ...whole('dRest[i] - value0'),
        });
      }
    }
    if (call.outputShapes.dDictionary) {
      const gradient = products.run({
        name: 'IstaBackwardGram',
        inputs: { tokens: tokens!, ...arriving },
        vectors: ['tokens', 'output', 'dOutput'],
        shape: [dim, dim],
        rows: dim,
        depth: rows,
        left: plain('tokens', dim, true),
        right: { element: received('i', '0.0'), quad: byFour ? received('i / 4u', 'vec4f()') : undefined },
        result: 'uniforms.stepSize * value0',
        uniforms: { stepSize },
      });
      made.dDictionary = products.run({
        name: 'IstaBackwardDictionary',
        inputs: { gradient, dictionary: dictionary! },
        shape: call.outputShapes.dDictionary,
        rows: dim,
        depth: dim,
        left: plain('dictionary', dim),
        right: { element: 'gradient[i] + gradient[column * uniforms.columns + k]' },
        result: 'gradient[i] - value0',
      });
    }
    return products.release(made);
  },
};
