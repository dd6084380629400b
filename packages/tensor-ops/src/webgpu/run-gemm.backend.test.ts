import { assertClose, describeBackends, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { matMulReference } from '../wasm-kernels/reference';
import { type GemmTile, planGemm, tiles, workgroupBytesOf } from './gemm-tile';
import { type GemmProgram, runGemm } from './run-gemm';
import { webGpuBackend } from './web-gpu-backend';

const stockLimits = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 2 ** 27,
  maxBufferSize: 2 ** 28,
} as GPUSupportedLimits;

const tensorsOf = (infos: Record<string, tf.TensorInfo>) =>
  Object.values(infos).map((info) => tf.engine().makeTensorFromTensorInfo(info));

const plain = (a: tf.Tensor, b: tf.Tensor): GemmProgram => {
  const [batches, rows, depth] = a.shape as [number, number, number];
  const columns = b.shape[2]!;
  return {
    name: 'TestProduct',
    size: { batches, rows, columns, depth },
    inputs: { a, b },
    outputs: { output: { shape: [batches, rows, columns] } },
    left: { element: 'return a[(batch * uniforms.rows + row) * uniforms.depth + k];', neighbours: 'depth' },
    rights: [{ element: 'return b[(batch * uniforms.depth + k) * uniforms.columns + column];', neighbours: 'width' }],
    store: 'output[(batch * uniforms.rows + row) * uniforms.columns + column] = value0;',
  };
};

describeBackends(
  'runGemm',
  () => {
    const random = new SeededRandom(5);
    const relative = tolerances.webgpu.forward;

    test.each(tiles.map((tile): [string, GemmTile] => [`${tile.rows} x ${tile.columns}`, tile]))(
      'is right in tiles of %s for every size, in one part and in several',
      async (_, tile) => {
        const backend = webGpuBackend(tf.backend());
        for (const [rows, depth, columns, ...parts] of [
          [1, 1, 1, 1],
          [tile.rows - 1, tile.depth + 1, tile.columns + 1, 1, 3],
          [tile.rows + 1, 2 * tile.depth, tile.columns, 1],
        ] as const) {
          const a = random.normals([2, rows, depth]);
          const b = random.normals([2, depth, columns]);
          const expected = matMulReference({ ...a, transposed: false }, { ...b, transposed: false });
          for (const splits of parts) {
            const [output] = tensorsOf(runGemm(backend, { ...plain(tensorOf(a), tensorOf(b)), plan: { tile, splits } }));
            await assertClose(`${rows} ${depth} ${columns} in ${splits}`, output!, expected, {
              relative,
              rmsFloor: Math.sqrt(depth),
            });
          }
        }
      },
    );

    test.each([1, 3])(
      'two products share a left operand made by exp, in %d parts, and the store divides them',
      async (splits) => {
        const [rows, depth, columns] = [37, 41, 19];
        const [w, k, v] = [random.normals([rows, depth]), random.normals([depth, columns]), random.normals([depth, columns])];
        const program: GemmProgram = {
          name: 'TestAttention',
          size: { batches: 1, rows, columns, depth },
          inputs: {
            w: tensorOf(w),
            k: tensorOf(k),
            v: tensorOf(v),
            gate: tensorOf({ shape: [columns], data: new Float32Array(columns).fill(2) }),
          },
          outputs: { output: { shape: [rows, columns] }, denominator: { shape: [rows, columns] } },
          uniforms: { shift: { type: 'f32', value: 1 } },
          functions: 'fn place(i: u32, j: u32) -> u32 { return i * uniforms.columns + j; }',
          left: { element: 'return exp(w[row * uniforms.depth + k] - uniforms.shift);', neighbours: 'depth' },
          rights: [
            { element: 'return exp(k_[place(k, column)]) * v[place(k, column)];'.replace('k_', 'keys'), neighbours: 'width' },
            { element: 'return exp(keys[place(k, column)]);', neighbours: 'width' },
          ],
          // Causal: a target sees sources up to its own; a tile, those of its last row.
          range: { end: 'firstRow + 32u' },
          store: 'output[place(row, column)] = gate[column] * value0 / value1; denominator[place(row, column)] = value1;',
        };
        const { k: keys, ...inputs } = program.inputs;
        const left = `if (k > row) { return 0.0; } ${program.left.element}`;
        const made = runGemm(webGpuBackend(tf.backend()), {
          ...program,
          inputs: { ...inputs, keys: keys! },
          left: { ...program.left, element: left },
          plan: { tile: tiles[3]!, splits },
        });
        const [output] = tensorsOf(made);
        const expected = new Float64Array(rows * columns);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            let [numerator, denominator] = [0, 0];
            for (let s = 0; s <= Math.min(i, depth - 1); s++) {
              const weight = Math.exp(w.data[i * depth + s]! + k.data[s * columns + j]!);
              numerator += weight * v.data[s * columns + j]!;
              denominator += weight;
            }
            expected[i * columns + j] = (2 * numerator) / denominator;
          }
        }
        await assertClose('output', output!, { shape: [rows, columns], data: expected }, { relative });
      },
    );

    test('reads four elements at once where the caller says how', async () => {
      const [rows, depth, columns] = [36, 21, 68];
      const [a, b] = [random.normals([1, depth, rows]), random.normals([1, depth, columns])];
      const [output] = tensorsOf(
        runGemm(webGpuBackend(tf.backend()), {
          ...plain(tensorOf(a), tensorOf(b)),
          size: { batches: 1, rows, columns, depth },
          outputs: { output: { shape: [rows, columns] } },
          vectors: ['a', 'b'],
          left: { element: '', quad: 'return a[(k * uniforms.rows + row + batch) / 4u];', neighbours: 'width' },
          rights: [{ element: '', quad: 'return b[(k * uniforms.columns + column + batch) / 4u];', neighbours: 'width' }],
        }),
      );
      const expected = matMulReference({ ...a, transposed: true }, { ...b, transposed: false });
      await assertClose('output', output!, { ...expected, shape: [rows, columns] }, { relative });
    });

    test('refuses an input that neither program uses, and a uniform that is taken', () => {
      const [a, b] = [tf.ones([1, 2, 300]), tf.ones([1, 300, 2])];
      for (const splits of [1, 2]) {
        const program = { ...plain(a, b), plan: { tile: tiles[3]!, splits } };
        expect(() => runGemm(webGpuBackend(tf.backend()), { ...program, inputs: { a, b, c: a } })).toThrow(
          "WebGPU program 'TestProduct': binding 'c' is not used",
        );
      }
      const uniforms = { depth: { type: 'u32', value: 3 } } as const;
      expect(() => runGemm(webGpuBackend(tf.backend()), { ...plain(a, b), uniforms })).toThrow(
        "uniform 'depth' is the size of the product",
      );
    });
  },
  { only: ['webgpu'] },
);

test('the plan of a product fits a stock device, splits a long depth and keeps small results in small tiles', () => {
  const plan = (rows: number, depth: number, columns: number, products = 1) =>
    planGemm({ batches: 1, rows, columns, depth }, products, stockLimits);
  expect(plan(4096, 4096, 4096)).toMatchObject({ tile: { rows: 128, columns: 128 }, splits: 1 });
  expect(plan(4096, 4096, 4096, 2)).toMatchObject({ tile: { rows: 128, columns: 64 }, splits: 1 });
  expect(plan(12, 8, 5)).toMatchObject({ tile: { rows: 32, columns: 32 }, splits: 1 });
  expect(plan(512, 512, 512)).toMatchObject({ tile: { rows: 128, columns: 64 }, splits: 4 });
  expect(plan(1, 4096, 4096)).toMatchObject({ tile: { rows: 8, columns: 128 } });
  expect(plan(4096, 4096, 3)).toMatchObject({ tile: { rows: 128, columns: 8 } });
  expect(plan(64, 65536, 64).splits).toBeGreaterThan(1);
  expect(plan(64, 64, 64).splits).toBe(1);
  expect(() => plan(64, 64, 64, 5)).toThrow('planGemm: no tile of this device holds 5 products');
  for (const products of [1, 2, 3, 4]) {
    for (const rows of [1, 7, 100, 4096]) {
      const { tile } = plan(rows, 64, rows, products);
      expect(workgroupBytesOf(tile, products)).toBeLessThanOrEqual(16384);
    }
  }
});
