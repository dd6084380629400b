import { depthwiseConv1d, dropout, gelu, softmax, type WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase } from '../bench-case';
import { againstStock, backward, type Pair } from './against-stock';
import * as stock from './stock-primitives';

type Run = (x: tf.Tensor) => tf.Tensor;

const [rows, width] = [1024, 512];

/** What the cases of the operators leave out: other forms and shapes of fused primitives, each against what a user of tfjs alone writes. */
export function primitivesCase(build: WasmBuild): BenchCase {
  return {
    name: `primitives-${build}`,
    about: `other forms of fused primitives, [${rows}, ${width}] unless told, ${build}`,
    async prepare() {
      const inputs: tf.Tensor[] = [];
      const keep = <T extends tf.Tensor>(tensor: T): T => {
        inputs.push(tensor);
        return tensor;
      };
      const normal = <T extends tf.Tensor>(...shape: number[]): T =>
        keep(tf.randomNormal(shape, 0, 1, 'float32', inputs.length + 1) as T);
      /** Forward, and with the gradient in `x` for `dy`. */
      const pairsOf = (
        name: string,
        [ours, theirs]: readonly [Run, Run],
        x: tf.Tensor,
        dy: tf.Tensor,
        rest: Partial<Pair> = {},
      ): Pair[] => {
        const forward = (run: Run) => () => tf.tidy(() => run(x));
        return [
          { name, ours: forward(ours), stock: forward(theirs), ...rest },
          { name: `${name} + backward`, ours: backward(ours, [x], dy), stock: backward(theirs, [x], dy), ...rest },
        ];
      };
      const [x, dy, ones] = [normal(rows, width), normal(rows, width), keep(tf.ones([rows, width]))];
      const [short, dShort] = [normal(rows, 8, 64), normal(rows, 8, 64)];
      const [sequence, kernel] = [normal<tf.Tensor3D>(2, 512, 512), normal<tf.Tensor2D>(9, 512)];
      return againstStock(build, inputs, [
        ...pairsOf('gelu, tanh form', [(a) => gelu(a, { approximate: 'tanh' }), stock.geluTanh], x, dy),
        ...pairsOf('softmax of [1024, 8, 64]', [(a) => softmax(a), (a) => tf.softmax(a)], short, dShort),
        // Of random masks only the means can be compared.
        ...pairsOf('dropout', [(a) => dropout(a, { rate: 0.1, seed: 1 }), (a) => tf.dropout(a, 0.1, undefined, 1)], ones, ones, {
          bound: 'means',
        }),
        {
          name: 'depthwiseConv1d, 9 taps, [2, 512, 512]',
          ours: () => depthwiseConv1d(sequence, kernel),
          stock: () => stock.depthwiseConv1d(sequence, kernel),
        },
      ]);
    },
  };
}
