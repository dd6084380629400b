import { SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { type AdamWState, adamWState, adamWStep } from '../adam-w/adam-w';
import { dropout } from '../dropout/dropout';
import { embedding } from '../embedding/embedding';
import { gelu } from '../gelu/gelu';
import { globalNorm } from '../global-norm/global-norm';
import { layerNorm } from '../layer-norm/layer-norm';
import { matMul } from '../mat-mul/mat-mul';
import { softmax } from '../softmax/softmax';
import { softmaxCrossEntropy } from '../softmax-cross-entropy/softmax-cross-entropy';
import { einsum } from '../tensor-algebra/einsum';

const [batch, time, dim, heads, classes] = [2, 8, 16, 2, 11];
const headDim = dim / heads;

const shapes = {
  table: [classes, dim],
  gain1: [dim],
  shift1: [dim],
  query: [dim, heads, headDim],
  key: [dim, heads, headDim],
  value: [dim, heads, headDim],
  output: [heads, headDim, dim],
  gain2: [dim],
  up: [dim, 2 * dim],
  down: [2 * dim, dim],
} as const;
const names = Object.keys(shapes) as (keyof typeof shapes)[];

type Weights = Record<keyof typeof shapes, tf.Tensor>;

/** Mean loss of the next token under one pre-LN transformer layer with dropout; the table is the head too. */
function loss(w: Weights, tokens: tf.Tensor2D, labels: tf.Tensor2D, seed: number): tf.Scalar {
  const x = dropout(embedding(w.table as tf.Tensor2D, tokens), { rate: 0.1, seed });
  const rows = layerNorm(x, w.gain1 as tf.Tensor1D, w.shift1 as tf.Tensor1D);
  const [query, key, value] = [w.query, w.key, w.value].map((weight) => einsum('btd,dhp->bhtp', rows, weight));
  const attention = softmax(tf.mul(matMul(query!, key!, { transposeB: true }), 1 / Math.sqrt(headDim)));
  const mixed = einsum('bhts,bhsp,hpd->btd', dropout(attention, { rate: 0.1, seed: seed + 1 }), value!, w.output);
  const attended = tf.add(x, mixed);
  const hidden = gelu(matMul(layerNorm(attended, w.gain2 as tf.Tensor1D), w.up));
  const result = tf.add(attended, matMul(hidden, w.down));
  return softmaxCrossEntropy(matMul(result, w.table as tf.Tensor2D, { transposeB: true }), labels) as tf.Scalar;
}

/** A small model in training, of operators alone, on a sequence that repeats. */
export class TestTransformer {
  #weights: tf.Tensor[];
  #state: AdamWState;
  readonly #tokens: tf.Tensor2D;
  readonly #labels: tf.Tensor2D;

  constructor() {
    const random = new SeededRandom(1);
    const made = names.map((name) => {
      const shape = [...shapes[name]];
      if (name.startsWith('gain')) return tf.ones(shape);
      return shape.length === 1 ? tf.zeros(shape) : tf.mul(tensorOf(random.normals(shape)), 0.3);
    });
    this.#weights = made;
    this.#state = adamWState(made);
    const text = (start: number) =>
      tf.tensor2d(
        Array.from({ length: batch * time }, (_, i) => (3 * (i + start)) % classes),
        [batch, time],
        'int32',
      );
    this.#tokens = text(0);
    this.#labels = text(1);
  }

  /** One step of clipped AdamW; the loss before it. */
  async step(number: number): Promise<number> {
    const { value, parameters, state } = tf.tidy(() => {
      const of = (...weights: tf.Tensor[]) => {
        const byName = Object.fromEntries(weights.map((weight, i) => [names[i], weight])) as Weights;
        return loss(byName, this.#tokens, this.#labels, 2 * number);
      };
      const { value, grads } = tf.valueAndGrads(of)(this.#weights);
      const gradientScale = tf.minimum(1, tf.div(1, globalNorm(grads))) as tf.Scalar;
      const decays = this.#weights.map(({ rank }) => rank > 1);
      return { value, ...adamWStep(this.#weights, grads, this.#state, { rate: 0.01, decays, gradientScale }) };
    });
    tf.dispose([...this.#weights, this.#state.mean, this.#state.square]);
    [this.#weights, this.#state] = [parameters, state];
    const [read] = await value.data();
    value.dispose();
    return read!;
  }

  dispose(): void {
    tf.dispose([...this.#weights, this.#state.mean, this.#state.square, this.#tokens, this.#labels]);
  }
}
