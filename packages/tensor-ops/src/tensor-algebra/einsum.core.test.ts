import { tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import { test } from 'vitest';
import { einsum } from './einsum';
import { kronecker } from './kronecker';
import { agreesWithEquation } from './test-einsum';
import { unfold } from './unfold';

test('the gradients of the tensor algebra need none of the gradients of tfjs', async () => {
  const shapes = [
    [2, 3],
    [3, 3, 4],
    [5, 4],
  ];
  await agreesWithEquation((...operands) => einsum('ij,jjk,lk->il', ...operands), 'ij,jjk,lk->il', shapes, tolerances.cpu);
  await agreesWithEquation(
    (a, b) => kronecker(a!, b!),
    'ij,kl->ikjl',
    [
      [2, 3],
      [4, 2],
    ],
    tolerances.cpu,
    [8, 6],
  );
  await agreesWithEquation((t) => unfold(t!, 1), 'ijk->jik', [[2, 3, 4]], tolerances.cpu, [3, 8]);
});
