import { backend_util, type NamedAttrMap } from '@tensorflow/tfjs-core';
import { OptionError, ShapeError } from '../errors';

type Shape4 = [number, number, number, number];
type ConvInfo = backend_util.Conv2DInfo;

/** A convolution of tfjs, with what its gradient kernels pass; sizes are checked against each other. */
export interface ConvCall {
  readonly kernel: string;
  readonly attrs: NamedAttrMap | undefined;
  /** Of x, of the filter and of the gradient that arrives. */
  readonly inShape: readonly number[];
  readonly filterShape: readonly number[];
  readonly dyShape: readonly number[];
  readonly depthwise: boolean;
}

/**
 * What tfjs makes of strides, paddings and dilations.
 *
 * @throws OptionError for channels before height and width; ShapeError if the shapes are not those of one convolution.
 */
export function convGeometry({ kernel, attrs, inShape, filterShape, dyShape, depthwise }: ConvCall): ConvInfo {
  const { strides, dilations, pad, dimRoundingMode, dataFormat } = (attrs ?? {}) as unknown as Parameters2d;
  if (dataFormat !== undefined && dataFormat !== 'NHWC') {
    throw new OptionError(
      `${kernel}: dataFormat must be 'NHWC' on the wasm backend, is '${String(dataFormat)}'; transpose first`,
    );
  }
  const table = `\n  x       [${inShape.join(', ')}]\n  filter  [${filterShape.join(', ')}]\n  dy      [${dyShape.join(', ')}]`;
  if (inShape.length !== 4 || filterShape.length !== 4) throw new ShapeError(`${kernel}: x and filter must have 4 axes${table}`);
  if (inShape[3] !== filterShape[2]) {
    throw new ShapeError(`${kernel}: the channels of x are ${inShape[3]}, the filter has ${filterShape[2]}${table}`);
  }
  const info = backend_util.computeConv2DInfo(
    inShape as Shape4,
    filterShape as Shape4,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
  const { outShape, strideHeight, strideWidth, dilationHeight, dilationWidth } = info;
  if (![strideHeight, strideWidth, dilationHeight, dilationWidth].every((step) => Number.isSafeInteger(step) && step > 0)) {
    throw new OptionError(
      `${kernel}: strides and dilations must be integers above 0, are ${String(strides)} and ${String(dilations)}`,
    );
  }
  if (outShape.length !== dyShape.length || outShape.some((size, axis) => size !== dyShape[axis])) {
    throw new ShapeError(`${kernel}: dy must have the shape of the convolution, [${outShape.join(', ')}]${table}`);
  }
  return info;
}

interface Parameters2d {
  readonly strides: number | [number, number];
  readonly dilations: number | [number, number] | undefined;
  readonly pad: Parameters<typeof backend_util.computeConv2DInfo>[4];
  readonly dimRoundingMode: Parameters<typeof backend_util.computeConv2DInfo>[5];
  readonly dataFormat: unknown;
}

/** The sizes in the order in which the kernels take them, from the window on. */
export const windowOf = (info: ConvInfo): number[] => [
  info.outHeight,
  info.outWidth,
  info.filterHeight,
  info.filterWidth,
  info.strideHeight,
  info.strideWidth,
  info.dilationHeight,
  info.dilationWidth,
  info.padInfo.top,
  info.padInfo.left,
];
