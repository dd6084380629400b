import { add, concat, mul, pad, reshape, slice, sum, type Tensor, type Tensor4D, tidy, zeros } from '@tensorflow/tfjs-core';
import type { Attributes, ComposeCall } from '../operator/types';
import { type ConvGeometry, geometryOf, reversed } from './geometry';

/** Products that are added one after the other; longer sums are made of such sums. */
const SPAN = 64;

interface Tap {
  readonly ky: number;
  readonly kx: number;
  readonly offsetY: number;
  readonly offsetX: number;
}

/** The taps that read anything. */
function tapsOf({ height, width, windowHeight, windowWidth, centerY, centerX, dilation }: ConvGeometry): Tap[] {
  const taps: Tap[] = [];
  for (let ky = 0; ky < windowHeight; ky++) {
    for (let kx = 0; kx < windowWidth; kx++) {
      const [offsetY, offsetX] = [dilation * (ky - centerY), dilation * (kx - centerX)];
      if (Math.abs(offsetY) < height && Math.abs(offsetX) < width) taps.push({ ky, kx, offsetY, offsetX });
    }
  }
  return taps;
}

/** What each tap reads, `[batch, height, width, dim]`: slices of one padded input. */
function shifts(x: Tensor, { batch, height, width, dim }: ConvGeometry, taps: readonly Tap[]): (tap: Tap) => Tensor {
  const border = (offsets: number[]): [number, number] => [Math.max(0, ...offsets.map((o) => -o)), Math.max(0, ...offsets)];
  const vertical = border([...new Set(taps.map((tap) => tap.offsetY))]);
  const horizontal = border([...new Set(taps.map((tap) => tap.offsetX))]);
  const padded = pad(reshape(x, [batch, height, width, dim]), [[0, 0], vertical, horizontal, [0, 0]]) as Tensor4D;
  return ({ offsetY, offsetX }) =>
    slice(padded, [0, vertical[0] + offsetY, horizontal[0] + offsetX, 0], [batch, height, width, dim]);
}

/** The convolution as shifted products; `isReverse` takes the taps from the last to the first. */
function convolve(x: Tensor, kernel: Tensor, geometry: ConvGeometry, isReverse: boolean): Tensor {
  const { windowHeight, windowWidth, dim } = geometry;
  const weights = reshape(kernel, [windowHeight * windowWidth, dim]);
  const taps = tapsOf(geometry);
  const shifted = shifts(x, geometry, taps);
  let total: Tensor | undefined;
  for (let first = 0; first < taps.length; first += SPAN) {
    let span: Tensor | undefined;
    for (const tap of taps.slice(first, first + SPAN)) {
      const at = tap.ky * windowWidth + tap.kx;
      const row = isReverse ? windowHeight * windowWidth - 1 - at : at;
      span = replaced(span, (before) => {
        const product = mul(shifted(tap), slice(weights, [row, 0], [1, dim]));
        return before === undefined ? product : add(before, product);
      });
    }
    const part = span!;
    total = total === undefined ? part : replaced(total, (before) => add(before!, part));
  }
  // The tap at the center reads something, so there is a total.
  return reshape(total!, x.shape);
}

/** `next(before)`; frees `before` and what `next` makes on the way. */
function replaced(before: Tensor | undefined, next: (before: Tensor | undefined) => Tensor): Tensor {
  const made = tidy(() => next(before));
  before?.dispose();
  return made;
}

/** The sum over all but the last axis, `[1, dim]`, by blocks of about the square root of their number. */
function sumOverPositions(x: Tensor, positions: number, dim: number): Tensor {
  const block = Math.ceil(Math.sqrt(positions));
  const blocks = Math.ceil(positions / block);
  const padded = pad(reshape(x, [positions, dim]), [
    [0, blocks * block - positions],
    [0, 0],
  ]);
  return sum(sum(reshape(padded, [blocks, block, dim]), 1), 0, true);
}

function kernelGradient(x: Tensor, dOutput: Tensor, geometry: ConvGeometry): Tensor {
  const { batch, height, width, dim, windowHeight, windowWidth } = geometry;
  const taps = tapsOf(geometry);
  const shifted = shifts(x, geometry, taps);
  const received = reshape(dOutput, [batch, height, width, dim]);
  const byPlace = new Map(taps.map((tap) => [tap.ky * windowWidth + tap.kx, tap]));
  const none = zeros([1, dim]);
  const rows = Array.from({ length: windowHeight * windowWidth }, (_, place) => {
    const tap = byPlace.get(place);
    if (tap === undefined) return none;
    return tidy(() => sumOverPositions(mul(shifted(tap), received), batch * height * width, dim));
  });
  return concat(rows, 0);
}

export function composedDepthwise(
  { x, kernel }: { x: Tensor; kernel: Tensor },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  return { output: convolve(x, kernel, geometryOf(sizes, attributes), false) };
}

export function composedDepthwiseBackward(
  { x, kernel, dOutput }: { x: Tensor; kernel: Tensor; dOutput: Tensor },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf(sizes, attributes);
  return {
    dX: convolve(dOutput, kernel, reversed(geometry), true),
    dKernel: reshape(kernelGradient(x, dOutput, geometry), kernel.shape),
  };
}
