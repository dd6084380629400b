import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { edgeLists } from '../sparse-product/edge-lists';
import { edgeProduct, edgeSoftmax } from '../sparse-product/edge-maps';
import { edgeSoftmaxReference } from '../sparse-product/reference';
import { randomEdges } from '../sparse-product/test-edges';
import { agrees } from '../test-agreement';

describeForms('softmax and products along edges', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu' && form.form === 'composed';

  test.each(
    isSlow
      ? [[2, 7, 3]]
      : [
          [1, 1, 1],
          [2, 7, 3],
          [1, 150, 4],
        ],
  )('softmax agrees with the reference: %i samples, %i edges, %i rows', async (batch, edges, rows) => {
    const random = new SeededRandom(edges!);
    const { source, target } = randomEdges(random, edges!, { terms: 1, inputSize: 4, outputSize: rows! });
    const lists = edgeLists({ row: Int32Array.from(target), column: Int32Array.from(source), rows: rows!, columns: 4 });
    await agrees(
      form,
      { scores: random.normals([batch!, edges!], 3) },
      ({ scores }) => edgeSoftmax(scores, lists),
      ({ scores }) =>
        Float64Array.from(
          Array.from({ length: batch! }, (_, b) =>
            Array.from(edgeSoftmaxReference(scores.subarray(b * edges!, (b + 1) * edges!), target)),
          ).flat(),
        ),
      random.normals([batch! * edges!]).data,
    );
  });

  test('softmax survives extreme scores; an edge alone has all the weight', async () => {
    const lists = edgeLists({ row: Int32Array.of(0, 0, 1), column: Int32Array.of(0, 1, 0), rows: 3, columns: 2 });
    const weights = form.run(() => edgeSoftmax(tensorOf({ shape: [1, 3], data: [-1e4, 1e4, -1e30] }), lists));
    expect(Array.from(await weights.data())).toEqual([0, 1, 1]);
  });

  test.each(
    isSlow
      ? [[2, 3, 9]]
      : [
          [1, 1, 1],
          [2, 3, 9],
          [2, 20, 31],
          [1, 600, 5],
        ],
  )('products agree with the reference: %i samples, %i channels, %i edges', async (batch, channels, edges) => {
    const random = new SeededRandom(channels!);
    const { source, target } = randomEdges(random, edges!, { terms: 1, inputSize: 4, outputSize: 3 });
    const lists = edgeLists({ row: Int32Array.from(target), column: Int32Array.from(source), rows: 3, columns: 4 });
    await agrees(
      form,
      { left: random.normals([batch!, 4, channels!]), right: random.normals([batch!, 3, channels!]) },
      ({ left, right }) => edgeProduct(left as never, right as never, lists),
      ({ left, right }) => {
        const out = new Float64Array(batch! * edges!);
        out.forEach((_, i) => {
          const [b, e] = [Math.floor(i / edges!), i % edges!];
          for (let c = 0; c < channels!; c++) {
            out[i]! += left[(b * 4 + source[e]!) * channels! + c]! * right[(b * 3 + target[e]!) * channels! + c]!;
          }
        });
        return out;
      },
      random.normals([batch! * edges!]).data,
    );
  });

  test('weights of the edges of a row sum to 1', async () => {
    const random = new SeededRandom(6);
    const row = Int32Array.from({ length: 40 }, () => random.integer(5));
    const lists = edgeLists({ row, column: row, rows: 5, columns: 5 });
    const weights = await form.run(() => edgeSoftmax(tensorOf(random.normals([1, 40], 4)), lists)).data();
    const sums = new Float64Array(5);
    row.forEach((i, e) => {
      sums[i]! += weights[e]!;
    });
    await assertClose('sums', sums, [1, 1, 1, 1, 1], { relative: form.tolerance.forward });
  });
});
