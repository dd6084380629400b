import type { backend_util, TensorInfo } from '@tensorflow/tfjs-core';
import { convGradientBinaries } from '../generated/conv-gradient';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import type { ProductStack } from '../wasm-threads/product-stack';
import { convGeometry, windowOf } from './conv-geometry';
import { gemmScratchBytes, multiplyStack } from './matrix-product';
import { checkFloats, type Replacement, zeros } from './replacement';

/** The kernels of the gradients of convolutions. */
export const convGradientModule = /* @__PURE__ */ defineWasmModule<
  'movePatches' | 'addPart' | 'depthwiseInput' | 'depthwiseInputScratchBytes' | 'depthwiseFilter'
>(convGradientBinaries);

/** Floats of patches that are multiplied at a time: half of a second-level cache, and never so few rows that packing the other factor shows. */
const PATCHES = 2 ** 17;
const LEAST_ROWS = 256;

/** The convolution as a product of patches, one row per output, and the filter. */
class PatchProduct {
  readonly #backend: WasmBackend;
  readonly #info: backend_util.Conv2DInfo;
  /** Outputs, and the numbers in the patch that each sees. */
  readonly places: number;
  readonly patch: number;
  readonly columns: number;
  /** Whether the patches are the pixels of x. */
  readonly isPlain: boolean;
  readonly rows: number;

  constructor(backend: WasmBackend, info: backend_util.Conv2DInfo) {
    const { batchSize, outHeight, outWidth, filterHeight, filterWidth, inChannels, outChannels, padInfo } = info;
    this.#backend = backend;
    this.#info = info;
    this.places = batchSize * outHeight * outWidth;
    this.patch = filterHeight * filterWidth * inChannels;
    this.columns = outChannels;
    const isPadded = padInfo.top !== 0 || padInfo.left !== 0 || padInfo.bottom !== 0 || padInfo.right !== 0;
    this.isPlain = filterHeight * filterWidth === 1 && info.strideHeight * info.strideWidth === 1 && !isPadded;
    const rows = Math.max(LEAST_ROWS, Math.floor(PATCHES / Math.max(1, this.patch) / LEAST_ROWS) * LEAST_ROWS);
    this.rows = this.isPlain ? this.places : Math.min(this.places, rows);
  }

  get isEmpty(): boolean {
    return this.places * this.patch * this.columns === 0;
  }

  /** Copies patches [begin, end) out of x, or adds them to it. */
  move(x: number, patches: number, begin: number, end: number, adds: boolean): void {
    const { inHeight, inWidth, inChannels } = this.#info;
    const { movePatches } = convGradientModule.exports(this.#backend);
    movePatches(x, patches, begin, end, inHeight, inWidth, inChannels, ...windowOf(this.#info), Number(adds));
  }
}

/** One product: which factor is stored transposed, where all three matrices are, and how large. */
interface Factors extends Pick<ProductStack, 'rows' | 'columns' | 'depth' | 'transposeA' | 'transposeB'> {
  readonly left: number;
  readonly right: number;
  readonly out: number;
}

function multiply(backend: WasmBackend, { left, right, out, ...sizes }: Factors, scratch: number): void {
  const scratchBytes = gemmScratchBytes(backend, sizes.rows, sizes.columns, sizes.depth);
  const places = { a: () => left, b: () => right, out: () => out };
  multiplyStack(
    backend,
    { ...sizes, ...places, products: 1, bias: 0, activation: 0, slope: 0, slopes: 0, scratchBytes },
    scratch,
  );
}

/**
 * tfjs's kernel `Conv2DBackpropFilter`, which its WASM backend lacks: the gradient of a convolution's filter, as a product of patches with the gradient of the
 * outputs, some thousand outputs at a time.
 */
export const conv2dBackpropFilter: Replacement = () => (call) => {
  const { x, dy } = call.inputs as Record<'x' | 'dy', TensorInfo>;
  checkFloats('Conv2DBackpropFilter', { x, dy });
  const filterShape = call.attrs?.filterShape as number[];
  const wasm = call.backend as WasmBackend;
  const info = convGeometry({
    kernel: 'Conv2DBackpropFilter',
    attrs: call.attrs,
    inShape: x.shape,
    filterShape,
    dyShape: dy.shape,
    depthwise: false,
  });
  const product = new PatchProduct(wasm, info);
  const { places, patch, columns, isPlain, rows } = product;
  if (product.isEmpty) return zeros(wasm, filterShape, 'float32');
  const size = 4 * patch * columns;
  const isWhole = rows === places;
  const patchBytes = isPlain ? 0 : 4 * rows * patch;
  const gemmBytes = gemmScratchBytes(wasm, patch, columns, rows);
  return withScratch(wasm, patchBytes + gemmBytes + (isWhole ? 0 : 2 * size), (scratch) => {
    const [working, part] = [scratch + patchBytes, scratch + patchBytes + gemmBytes];
    const lost = part + size;
    const out = isWhole ? wasm.makeOutput(filterShape, 'float32') : zeros(wasm, filterShape, 'float32');
    if (!isWhole) wasm.wasm.HEAPU8.fill(0, lost, lost + size);
    const [from, gradients, to] = [x, dy, out].map((info) => tensorPointer(wasm, info)) as [number, number, number];
    for (let begin = 0; begin < places; begin += rows) {
      const depth = Math.min(rows, places - begin);
      if (!isPlain) product.move(from, scratch, begin, begin + depth, false);
      const [left, right] = [isPlain ? from : scratch, gradients + 4 * columns * begin];
      const factors = { left, right, out: isWhole ? to : part, transposeA: true, transposeB: false };
      multiply(wasm, { ...factors, rows: patch, columns, depth }, working);
      if (!isWhole) convGradientModule.exports(wasm).addPart(to, lost, part, patch * columns);
    }
    return out;
  });
};

/** tfjs's kernel `Conv2DBackpropInput`: the products of the arriving gradient with the filter, added up patch by patch. tfjs goes number by number. */
export const conv2dBackpropInput: Replacement = () => (call) => {
  const { dy, filter } = call.inputs as Record<'dy' | 'filter', TensorInfo>;
  checkFloats('Conv2DBackpropInput', { dy, filter });
  const inShape = call.attrs?.inputShape as number[];
  const wasm = call.backend as WasmBackend;
  const info = convGeometry({
    kernel: 'Conv2DBackpropInput',
    attrs: call.attrs,
    inShape,
    filterShape: filter.shape,
    dyShape: dy.shape,
    depthwise: false,
  });
  const product = new PatchProduct(wasm, info);
  const { places, patch, columns, isPlain, rows } = product;
  if (product.isEmpty) return zeros(wasm, inShape, 'float32');
  const patchBytes = isPlain ? 0 : 4 * rows * patch;
  const gemmBytes = gemmScratchBytes(wasm, rows, patch, columns);
  return withScratch(wasm, patchBytes + gemmBytes, (scratch) => {
    const out = isPlain ? wasm.makeOutput(inShape, 'float32') : zeros(wasm, inShape, 'float32');
    const [gradients, weights, to] = [dy, filter, out].map((info) => tensorPointer(wasm, info)) as [number, number, number];
    for (let begin = 0; begin < places; begin += rows) {
      const count = Math.min(rows, places - begin);
      const left = gradients + 4 * columns * begin;
      const factors = { left, right: weights, out: isPlain ? to : scratch, transposeA: false, transposeB: true };
      multiply(wasm, { ...factors, rows: count, columns: patch, depth: columns }, scratch + patchBytes);
      if (!isPlain) product.move(to, scratch, begin, begin + count, true);
    }
    return out;
  });
};
