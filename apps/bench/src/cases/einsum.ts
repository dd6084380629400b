import { einsum, matMul } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';

interface Contraction {
  readonly name: string;
  readonly equation: string;
  readonly shapes: readonly (readonly number[])[];
  /** The same by `matMul`, as one would write it by hand: views where an operand lies as a matrix. */
  byHand(...operands: tf.Tensor[]): tf.Tensor;
}

const square = (size: number): Contraction => ({
  name: `${size}^3`,
  equation: 'ij,jk->ik',
  shapes: [
    [size, size],
    [size, size],
  ],
  byHand: (a, b) => matMul(a!, b!),
});

const contractions: readonly Contraction[] = [
  square(64),
  square(256),
  {
    name: 'scores',
    equation: 'bhqd,bhkd->bhqk',
    shapes: [
      [8, 4, 64, 32],
      [8, 4, 64, 32],
    ],
    byHand: (query, key) => matMul(query!, key!, { transposeB: true }),
  },
  {
    name: 'heads',
    equation: 'btd,dhk->bthk',
    shapes: [
      [8, 64, 128],
      [128, 4, 32],
    ],
    byHand: (x, weight) => tf.tidy(() => tf.reshape(matMul(x!, tf.reshape(weight!, [128, 128])), [8, 64, 4, 32])),
  },
  {
    name: 'three operands',
    equation: 'bij,jk,kl->bil',
    shapes: [
      [8, 64, 128],
      [128, 32],
      [32, 128],
    ],
    byHand: (x, down, up) => tf.tidy(() => matMul(matMul(x!, down!), up!)),
  },
];

/** `einsum` against the products of matrices that it stands for. */
export const einsumCase: BenchCase = {
  name: 'einsum',
  about: 'einsum against matMul written by hand for the same contraction',
  prepare,
};

async function prepare(): Promise<Contest> {
  const calls = contractions.map(({ name, equation, shapes, byHand }) => {
    const operands = shapes.map((shape, i) => tf.randomNormal([...shape], 0, 1, 'float32', i + 1));
    return { name, equation, operands, ours: () => einsum(equation, ...operands), byHand: () => byHand(...operands) };
  });
  const enter = () => useOurKernels('simd128');
  return {
    contestants: calls.flatMap(({ name, equation, ours, byHand }) => [
      { name: `${name}, einsum`, form: equation, enter, run: () => ours().dispose() },
      { name: `${name}, by hand`, form: 'matMul', enter, run: () => byHand().dispose() },
    ]),
    async check() {
      await enter();
      for (const { name, ours, byHand } of calls) {
        const [product, wanted] = [ours(), byHand()];
        if (product.shape.join() !== wanted.shape.join()) throw new Error(`${name} has the shape [${product.shape}]`);
        assertNear(`einsum, ${name}`, product.dataSync(), wanted.dataSync(), 1e-6);
        tf.dispose([product, wanted]);
      }
    },
    targets: (medians) =>
      calls.map(({ name }) => ({
        text: `${name}, einsum over by hand`,
        value: medians(`${name}, einsum`) / medians(`${name}, by hand`),
        atMost: 1.2,
      })),
    dispose: () => tf.dispose(calls.map(({ operands }) => operands)),
  };
}
