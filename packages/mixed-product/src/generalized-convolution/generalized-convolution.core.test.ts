import { SeededRandom, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import { test } from 'vitest';
import { denseBasis } from '../basis/dense-basis';
import { mixedProduct } from '../mixed-product/mixed-product';
import { mixedProductReference } from '../mixed-product/reference';
import { separableParameter } from '../parameter/parameter';
import { agrees } from '../test-agreement';
import { generalizedConvolution } from './generalized-convolution';
import { convolutionReference } from './reference';

const form = { run: <T>(fn: () => T) => fn(), tolerance: tolerances.cpu };

test('the gradients of mixed products and of structured convolutions need none of the gradients of tfjs', async () => {
  const random = new SeededRandom(4);
  await agrees(
    form,
    { a: random.normals([3, 2]), b: random.normals([3, 4]) },
    ({ a, b }) => mixedProduct(a, b),
    ({ a, b }) => mixedProductReference(3, a, b),
    random.normals([8]).data,
  );
  const sizes = { batch: 2, terms: 2, source: 3, target: 4, inputDim: 3, outputDim: 2 };
  for (const order of ['basisFirst', 'parameterFirst', 'factored'] as const) {
    await agrees(
      form,
      {
        x: random.normals([2, 3, 3]),
        graphs: random.normals([2, 3, 4]),
        depthwise: random.normals([2, 3]),
        pointwise: random.normals([3, 2]),
        bias: random.normals([2]),
      },
      ({ x, graphs, depthwise, pointwise, bias }) =>
        generalizedConvolution(
          x as never,
          denseBasis(graphs as never),
          separableParameter({ depthwise: depthwise as never, pointwise: pointwise as never }),
          { bias: bias as never, order },
        ),
      ({ x, graphs, depthwise, pointwise, bias }) =>
        convolutionReference(sizes, {
          x,
          basis: graphs,
          theta: Float64Array.from(
            { length: 12 },
            (_, i) =>
              depthwise[Math.floor(i / 6) * 3 + (Math.floor(i / 2) % 3)]! * pointwise[(Math.floor(i / 2) % 3) * 2 + (i % 2)]!,
          ),
          bias,
        }),
      random.normals([2 * 4 * 2]).data,
    );
  }
});
