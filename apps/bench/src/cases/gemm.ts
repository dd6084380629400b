import type { WasmBackend, WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest, Contestant, Target } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { peakFlops, peakProbes, runPeak } from '../register-peak';

const size = 512;
const [batch, rows, depth, columns] = [32, 64, 32, 64];

const forms = { plain: [false, false], tA: [true, false], tB: [false, true], tAtB: [true, true] } as const;
type Form = keyof typeof forms | 'batched';

const probeRounds = 1e6;

/** tfjs keeps a packed copy of each right factor it multiplied by, so on the same tensors again it packs nothing. */
const packed = 'tfjs, right factor packed before';
const unpacked = 'tfjs, right factor new';

/** The bounds of each build: of the peak, and over tfjs's own untransposed product. */
const bounds: Record<WasmBuild, { ofPeak: number; overStock: number }> = {
  simd128: { ofPeak: 0.9, overStock: 1.25 },
  relaxed: { ofPeak: 0.8, overStock: 1.5 },
};

/** The product of 512 x 512 matrices in every form, and a batched one, against the register peak and tfjs. */
export function gemmCase(build: WasmBuild): BenchCase {
  return {
    name: `gemm-${build}`,
    about: `matrix product 512^3 and ${batch} x [${rows}, ${depth}] x [${depth}, ${columns}], ${build}, one thread`,
    prepare: () => prepare(build),
  };
}

async function prepare(build: WasmBuild): Promise<Contest> {
  const square = [tf.randomNormal([size, size], 0, 1, 'float32', 1), tf.randomNormal([size, size], 0, 1, 'float32', 2)] as const;
  const stacks = [
    tf.randomNormal([batch, rows, depth], 0, 1, 'float32', 3),
    tf.randomNormal([batch, depth, columns], 0, 1, 'float32', 4),
  ] as const;
  // Each form multiplies the same matrices, laid out as it reads them.
  const laidOut = Object.entries(forms).map(([form, [transposeA, transposeB]]) => {
    const [a, b] = [
      transposeA ? tf.transpose(square[0]) : tf.clone(square[0]),
      transposeB ? tf.transpose(square[1]) : tf.clone(square[1]),
    ];
    return { form: form as Form, a, b, product: () => tf.matMul(a, b, transposeA, transposeB), flops: 2 * size ** 3 };
  });
  const products = [
    ...laidOut,
    { form: 'batched' as Form, product: () => tf.matMul(...stacks), flops: 2 * batch * rows * depth * columns },
  ];

  const fresh = freshFactors(...square);
  const contestants: Contestant[] = [];
  for (const { form, product, flops } of products) {
    const run = () => product().dispose();
    contestants.push({ name: `ours ${form}`, form: `wasm ${build}`, flops, enter: () => useOurKernels(build), run });
    if (form !== 'plain') continue;
    contestants.push({ name: packed, form: 'stock tfjs-wasm', flops, enter: useStockKernels, run });
    contestants.push({ name: unpacked, form: 'stock tfjs-wasm', flops, ...fresh.contender });
  }
  const backend = tf.backend() as unknown as WasmBackend;
  for (const name of peakProbes) {
    contestants.push({
      name,
      form: `wasm ${build}`,
      flops: peakFlops(name, probeRounds),
      enter: () => useOurKernels(build),
      run: () => runPeak(backend, name, probeRounds),
    });
  }

  return {
    contestants,
    async check() {
      const expected = multiply(await square[0].data(), await square[1].data(), size, size, size);
      const [a, b] = [await stacks[0].data(), await stacks[1].data()];
      const [aSize, bSize] = [rows * depth, depth * columns];
      const stacked = Array.from({ length: batch }, (_, i) => {
        const [left, right] = [a.subarray(i * aSize, (i + 1) * aSize), b.subarray(i * bSize, (i + 1) * bSize)];
        return [...multiply(left, right, rows, depth, columns)];
      }).flat();
      for (const ours of [true, false]) {
        if (ours) await useOurKernels(build);
        else useStockKernels();
        for (const { form, product } of products) {
          const result = product();
          const exact = form === 'batched' ? stacked : expected;
          assertNear(`${ours ? 'our' : "tfjs's"} product ${form}`, await result.data(), exact, 1e-6);
          result.dispose();
        }
      }
    },
    targets(medians) {
      const flopsOf = (name: string) => contestants.find((contestant) => contestant.name === name)!.flops!;
      const rate = (name: string) => flopsOf(name) / medians(name);
      const plain = rate('ours plain');
      const targets: Target[] = [
        { text: 'plain, of the register peak', value: plain / Math.max(...peakProbes.map(rate)), atLeast: bounds[build].ofPeak },
        ...[packed, unpacked].map((name) => ({
          text: `plain, over ${name}`,
          value: plain / rate(name),
          atLeast: bounds[build].overStock,
        })),
      ];
      for (const form of ['tA', 'tB', 'tAtB', 'batched']) {
        targets.push({ text: `${form}, of plain`, value: rate(`ours ${form}`) / plain, atLeast: 0.8 });
      }
      return targets;
    },
    dispose() {
      fresh.dispose();
      tf.dispose([...square, ...stacks, ...laidOut.flatMap(({ a, b }) => [a, b])]);
    },
  };
}

/** tfjs's product with a right factor that it has not multiplied by before, as a layer's weight is after each training step. */
function freshFactors(a: tf.Tensor, b: tf.Tensor) {
  let unused: tf.Tensor[] = [];
  let used: tf.Tensor[] = [];
  const dispose = () => {
    tf.dispose([unused, used]);
    [unused, used] = [[], []];
  };
  const enter = () => {
    useStockKernels();
    dispose();
    unused = Array.from({ length: 6 }, () => tf.add(b, 0));
  };
  const run = () => {
    const factor = unused.pop() ?? tf.add(b, 0);
    used.push(factor);
    tf.matMul(a, factor).dispose();
  };
  return { contender: { enter, run }, dispose };
}

/** Float64 product of row-major matrices. */
function multiply(a: ArrayLike<number>, b: ArrayLike<number>, m: number, k: number, n: number): Float64Array {
  const product = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const left = a[i * k + p]!;
      for (let j = 0; j < n; j++) product[i * n + j]! += left * b[p * n + j]!;
    }
  }
  return product;
}
