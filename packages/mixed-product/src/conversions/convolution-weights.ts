import { checkOptions, checkTensor, OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { type GridOptions1d, type GridOptions2d, gridBasis1d, gridBasis2d } from '../grids/grid-basis';
import { fullParameter, groupedParameter, type Parameter } from '../parameter/parameter';
import { permuted, viewAs } from '../tape/views';

/** In which order a framework keeps the axes of a kernel. */
interface KernelLayout {
  /** `'keras'` (default): `[...window, inputDim / groups, outputDim]`. `'torch'`: `[outputDim, inputDim / groups, ...window]`. */
  readonly layout?: 'keras' | 'torch' | undefined;
  /** Groups of channels that do not mix. Default 1. */
  readonly groups?: number | undefined;
}

/** A convolution over a line or an image as a structured one. */
export interface MixedProductConvolution {
  readonly basis: ConvolutionBasis;
  readonly parameter: Parameter;
}

const rules = {
  layout: ['keras', 'torch'],
  groups: 'positiveInteger',
  stride: 'unchecked',
  dilation: 'unchecked',
  padding: 'unchecked',
} as const;

/**
 * A framework's convolution over a line as a structured one: the basis of its taps, and its kernel.
 *
 * @param kernel - `[window, inputDim, outputDim]` as of Keras and tf.js; with layout `'torch'` `[outputDim, inputDim, window]`.
 * @param options - `length` of the input; `stride`, `dilation`, `padding` as in `gridBasis1d` (PyTorch pads with a number, by default 0); `layout`, `groups`.
 * @returns Basis and parameter for `generalizedConvolution`; differentiable in the kernel.
 * @throws ShapeError; OptionError; DTypeError.
 * @example
 * const { basis, parameter } = conv1dToMixedProduct(kernel, { length: 100, padding: 'causal' });
 */
export function conv1dToMixedProduct(
  kernel: Tensor3D,
  options: Omit<GridOptions1d, 'window'> & KernelLayout,
): MixedProductConvolution {
  checkOptions('conv1dToMixedProduct', options, { ...rules, length: 'positiveInteger' });
  checkTensor('conv1dToMixedProduct', 'kernel', kernel, ['float32']);
  if (kernel.rank !== 3) throw new ShapeError(`conv1dToMixedProduct: kernel must have 3 axes, got [${kernel.shape.join(', ')}]`);
  const { layout = 'keras', groups = 1, padding, ...grid } = options;
  const window = kernel.shape[layout === 'keras' ? 0 : 2];
  const basis = gridBasis1d({ ...grid, window, padding: padding ?? (layout === 'torch' ? 0 : 'same') });
  return {
    basis,
    parameter: parameterOf('conv1dToMixedProduct', viewAs<Tensor4D>(kernel, [...kernel.shape, 1]), layout, groups, 1),
  };
}

/**
 * A framework's convolution over an image as a structured one, on nodes in rows.
 *
 * @param kernel - `[windowHeight, windowWidth, inputDim, outputDim]` as of Keras and tf.js; with layout `'torch'` `[outputDim, inputDim, windowHeight, windowWidth]`.
 * @param options - `height`, `width` of the input; `stride`, `dilation`, `padding` as in `gridBasis2d` (PyTorch's default is 0); `layout`, `groups`.
 * @returns Basis and parameter for `generalizedConvolution` of `x [batch, height width, inputDim]`; differentiable in the kernel.
 * @throws ShapeError; OptionError; DTypeError.
 * @example
 * const { basis, parameter } = conv2dToMixedProduct(kernel, { height: 32, width: 32, stride: 2 });
 */
export function conv2dToMixedProduct(
  kernel: Tensor4D,
  options: Omit<GridOptions2d, 'window'> & KernelLayout,
): MixedProductConvolution {
  checkOptions('conv2dToMixedProduct', options, { ...rules, height: 'positiveInteger', width: 'positiveInteger' });
  checkTensor('conv2dToMixedProduct', 'kernel', kernel, ['float32']);
  if (kernel.rank !== 4) throw new ShapeError(`conv2dToMixedProduct: kernel must have 4 axes, got [${kernel.shape.join(', ')}]`);
  const { layout = 'keras', groups = 1, padding, ...grid } = options;
  const window = kernel.shape.slice(...(layout === 'keras' ? [0, 2] : [2, 4])) as [number, number];
  const basis = gridBasis2d({ ...grid, window, padding: padding ?? (layout === 'torch' ? 0 : 'same') });
  return { basis, parameter: parameterOf('conv2dToMixedProduct', kernel, layout, groups, 2) };
}

/** The kernel, with its taps as one axis, as a parameter. */
function parameterOf(name: string, kernel: Tensor4D, layout: 'keras' | 'torch', groups: number, axes: 1 | 2): Parameter {
  const shape = axes === 1 ? kernel.shape.slice(0, 3) : kernel.shape;
  const [inner, outputDim] = (layout === 'keras' ? shape.slice(axes) : [shape[1], shape[0]]) as [number, number];
  if (outputDim % groups !== 0)
    throw new OptionError(`${name}: groups must divide the output channels, got ${groups} and ${outputDim}`);
  const taps = kernel.size / (inner * outputDim);
  const outer = outputDim / groups;
  const blocks =
    layout === 'keras'
      ? permuted<Tensor4D>(viewAs(kernel, [taps, inner, groups, outer]), [0, 2, 1, 3])
      : permuted<Tensor4D>(viewAs(kernel, [groups, outer, inner, taps]), [3, 0, 2, 1]);
  return groups === 1 ? fullParameter(viewAs(blocks, [taps, inner, outputDim])) : groupedParameter(blocks);
}
