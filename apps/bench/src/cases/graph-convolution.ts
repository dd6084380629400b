import { generalizedConvolution, sparseBasis } from '@mixfold/mixed-product';
import { matMul } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest } from '../bench-case';
import { Draw } from '../draw';
import { useOurKernels } from '../kernels-in-use';

const [nodes, edges, dim] = [100_000, 1_000_000, 64];
/** The rows that edges carry are copied a part at a time. */
const parts = 8;

/** A convolution on a graph against what it must do: move a row for every edge, and multiply the rows of the nodes. */
export const graphConvolutionBoundsCase: BenchCase = {
  name: 'graph-convolution-bounds',
  about: `graph convolution: ${nodes} nodes, ${edges} edges, ${dim} to ${dim} channels, relaxed, one thread`,
  async prepare(): Promise<Contest> {
    const enter = () => useOurKernels('relaxed');
    await enter();
    const draw = new Draw(1);
    const [source, target] = [draw.ids([edges], nodes), draw.ids([edges], nodes)] as const;
    // A graph is stored by target.
    target.data.sort();
    const weight = draw.normals([edges]);
    const x = tf.tensor3d(draw.normals([1, nodes, dim]).data, [1, nodes, dim]);
    const theta = tf.randomNormal<tf.Rank.R3>([1, dim, dim], 0, 0.1, 'float32', 3);
    const rows = tf.reshape(x, [nodes, dim]);
    const matrix = tf.reshape(theta, [dim, dim]) as tf.Tensor2D;
    const weights = tf.tensor1d(weight.data);
    const basis = sparseBasis({
      source: source.data as Int32Array,
      target: target.data as Int32Array,
      weight: weights,
      inputSize: nodes,
      outputSize: nodes,
    });
    const [from, to] = [new Float32Array((edges * dim) / parts).fill(1), new Float32Array((edges * dim) / parts)];
    const convolve = () => generalizedConvolution(x, basis, theta, { order: 'basisFirst' });
    const flops = 2 * nodes * dim * dim;
    return {
      contestants: [
        { name: 'ours', form: 'fused wasm relaxed', enter, run: () => convolve().dispose() },
        { name: 'product', form: 'wasm relaxed', flops, enter, run: () => matMul(rows, matrix).dispose() },
        {
          name: 'copy of a row for every edge',
          form: 'to elsewhere',
          enter: () => {},
          run: () => {
            for (let part = 0; part < parts; part++) to.set(from);
          },
        },
      ],
      async check() {
        const made = convolve();
        const actual = await made.data();
        const [numbers, kernel] = [await x.data(), await theta.data()];
        const carried = new Float64Array(nodes * dim);
        for (let e = 0; e < edges; e++) {
          const [read, write] = [source.data[e]! * dim, target.data[e]! * dim];
          for (let c = 0; c < dim; c++) carried[write + c]! += weight.data[e]! * numbers[read + c]!;
        }
        // Every hundredth node: the product is checked elsewhere.
        const [own, expected]: [number[], number[]] = [[], []];
        for (let node = 0; node < nodes; node += 100) {
          for (let q = 0; q < dim; q++) {
            let sum = 0;
            for (let p = 0; p < dim; p++) sum += carried[node * dim + p]! * kernel[p * dim + q]!;
            expected.push(sum);
            own.push(actual[node * dim + q]!);
          }
        }
        made.dispose();
        assertNear('the output', own, expected, 1e-6);
      },
      targets: (medians) => [
        {
          text: 'ours, over the copy and the product',
          value: medians('ours') / (medians('copy of a row for every edge') + medians('product')),
          atMost: 2,
        },
      ],
      dispose() {
        basis.dispose();
        tf.dispose([x, theta, rows, matrix, weights]);
      },
    };
  },
};
