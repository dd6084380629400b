import type { AxisSizes } from '../axes';
import type { Attributes } from '../operator/types';

/** A depthwise convolution over two axes; one over time has a height of 1. Tap (r, s) reads `dilation (r - centerY)` below and `dilation (s - centerX)` right. */
export interface ConvGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly dim: number;
  readonly windowHeight: number;
  readonly windowWidth: number;
  readonly centerY: number;
  readonly centerX: number;
  readonly dilation: number;
}

const centerOf = (window: number) => Math.floor((window - 1) / 2);

export function geometryOf(sizes: AxisSizes, attributes: Attributes): ConvGeometry {
  const {
    batch,
    time,
    dim,
    window,
    height = 1,
    width = time,
    windowHeight = 1,
    windowWidth = window,
  } = sizes as Required<AxisSizes>;
  return {
    batch: batch!,
    height,
    width: width!,
    dim: dim!,
    windowHeight,
    windowWidth: windowWidth!,
    centerY: centerOf(windowHeight),
    centerX: attributes.causal ? windowWidth! - 1 : centerOf(windowWidth!),
    // Further apart than the axes are long, only the tap at the center reads anything.
    dilation: Math.min(attributes.dilation as number, Math.max(height, width!)),
  };
}

/** The geometry of the gradient of the input: the taps stand in reverse. */
export function reversed(geometry: ConvGeometry): ConvGeometry {
  const { windowHeight, windowWidth, centerY, centerX } = geometry;
  return { ...geometry, centerY: windowHeight - 1 - centerY, centerX: windowWidth - 1 - centerX };
}
