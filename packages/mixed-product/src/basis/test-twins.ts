import { assertClose, SeededRandom, type TestForm, tensorOf } from '@mixfold/testing';
import type * as tf from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from './convolution-basis';
import { denseBasis } from './dense-basis';

/** The matrices of a basis by `toDense`, and every map of it and of its transpose against theirs. */
export async function agreesWithItsMatrices(form: TestForm, basis: ConvolutionBasis, channels = 3): Promise<tf.Tensor> {
  const dense = form.run(() => basis.toDense());
  const batch = basis.samples ?? 2;
  for (const [name, own, twin] of [
    ['', basis, denseBasis(dense as tf.Tensor3D)],
    ['transposed ', basis.transposed(), denseBasis(dense as tf.Tensor3D).transposed()],
  ] as const) {
    const random = new SeededRandom(7);
    const x = tensorOf<tf.Tensor3D>(random.normals([batch, own.inputSize, channels]));
    const h = tensorOf<tf.Tensor4D>(random.normals([batch, own.inputSize, own.terms, channels]));
    const back = tensorOf<tf.Tensor4D>(random.normals([batch, own.outputSize, own.terms, channels]));
    for (const [map, of] of Object.entries({
      apply: (one: ConvolutionBasis) => one.apply(x),
      applySum: (one: ConvolutionBasis) => one.applySum(h),
      applyEach: (one: ConvolutionBasis) => one.applyEach(h),
      applyAdjoint: (one: ConvolutionBasis) => one.applyAdjoint(back),
    })) {
      const [found, expected] = [form.run(() => of(own)), form.run(() => of(twin))];
      const bound = { relative: 2 * form.tolerance.forward, absolute: 1e-6 };
      await assertClose(`${name}${map}`, found, { shape: expected.shape, data: await expected.data() }, bound);
    }
  }
  return dense;
}
