import { expect, test } from 'vitest';
import { assertAgrees, assertGradients } from './assert-agrees';
import { hostileTolerance } from './tolerances';

const tolerance = { forward: 1e-6, gradient: 1e-4 };
const expected = { output: [1, 2], dX: [100, -100], dGain: [1, 1], dBias: [0, 0] };

test('takes what is within the tolerance of outputs and of gradients, and names what is not', async () => {
  await assertAgrees({ output: [1, 2.000001], dX: [100.005, -100] }, expected, { relative: tolerance });
  await expect(assertAgrees({ output: [1, 2.0001], dX: [100, -100] }, expected, { relative: tolerance })).rejects.toThrow(
    /^output: rms ratio/,
  );
  await expect(assertAgrees({ output: [1, 2], dX: [100.1, -100] }, expected, { relative: tolerance })).rejects.toThrow(
    /^dX: rms ratio/,
  );
});

test('measures a gradient that is small beside the others by a hundredth of the largest', async () => {
  const nearly = { dX: [100, -100], dBias: [5e-5, 5e-5] };
  await assertGradients(nearly, expected, { relative: 1e-4 });
  await expect(assertGradients({ dBias: nearly.dBias }, expected, { relative: 1e-4 })).rejects.toThrow(/^dBias/);
  await expect(assertGradients({ ...nearly, dBias: [2e-4, 2e-4] }, expected, { relative: 1e-4 })).rejects.toThrow(/^dBias/);
});

test('goes by the largest error where inputs are hostile', async () => {
  const small = { output: [0.1, 0.1], dX: [100, -100] };
  const actual = { output: [0.1, 0.10001], dX: [100.05, -100] };
  await assertAgrees(actual, small, { largest: hostileTolerance });
  await expect(assertAgrees(actual, small, { relative: hostileTolerance })).rejects.toThrow(/^output: rms ratio/);
  await expect(assertAgrees({ ...actual, dX: [100.2, -100] }, small, { largest: hostileTolerance })).rejects.toThrow(/^dX: max/);
});
