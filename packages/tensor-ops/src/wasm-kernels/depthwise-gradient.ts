import type { TensorInfo } from '@tensorflow/tfjs-core';
import { tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { convGeometry, windowOf } from './conv-geometry';
import { convGradientModule } from './conv2d-gradient';
import { checkFloats, type Replacement, sizeOf, zeros } from './replacement';

/** tfjs's kernel `DepthwiseConv2dNativeBackpropInput`, which its WASM backend lacks; with any dilation, where tfjs's cpu kernel leaves it out. */
export const depthwiseBackpropInput: Replacement = () => (call) => {
  const kernel = 'DepthwiseConv2dNativeBackpropInput';
  const { dy, filter } = call.inputs as Record<'dy' | 'filter', TensorInfo>;
  checkFloats(kernel, { dy, filter });
  const inShape = call.attrs?.inputShape as number[];
  const wasm = call.backend as WasmBackend;
  const info = convGeometry({
    kernel,
    attrs: call.attrs,
    inShape,
    filterShape: filter.shape,
    dyShape: dy.shape,
    depthwise: true,
  });
  if (sizeOf(dy) * sizeOf(filter) === 0) return zeros(wasm, inShape, 'float32');
  const { depthwiseInput, depthwiseInputScratchBytes } = convGradientModule.exports(wasm);
  const { batchSize, inHeight, inWidth, inChannels, outChannels, filterWidth } = info;
  return withScratch(wasm, depthwiseInputScratchBytes(inWidth, filterWidth, outChannels), (scratch) => {
    const out = wasm.makeOutput(inShape, 'float32');
    const pointers = [dy, filter, out].map((info) => tensorPointer(wasm, info));
    const sizes = [batchSize, inHeight, inWidth, inChannels, outChannels / inChannels];
    depthwiseInput(...pointers, scratch, ...sizes, ...windowOf(info));
    return out;
  });
};

/** tfjs's kernel `DepthwiseConv2dNativeBackpropFilter`, which its WASM backend lacks. */
export const depthwiseBackpropFilter: Replacement = () => (call) => {
  const kernel = 'DepthwiseConv2dNativeBackpropFilter';
  const { x, dy } = call.inputs as Record<'x' | 'dy', TensorInfo>;
  checkFloats(kernel, { x, dy });
  const filterShape = call.attrs?.filterShape as number[];
  const wasm = call.backend as WasmBackend;
  const info = convGeometry({ kernel, attrs: call.attrs, inShape: x.shape, filterShape, dyShape: dy.shape, depthwise: true });
  const { batchSize, inHeight, inWidth, inChannels, outChannels, filterHeight, filterWidth } = info;
  const size = filterHeight * filterWidth * outChannels;
  if (sizeOf(dy) * size === 0) return zeros(wasm, filterShape, 'float32');
  const row = outChannels === inChannels ? 0 : inWidth * outChannels;
  return withScratch(wasm, 4 * (size + row), (scratch) => {
    const out = wasm.makeOutput(filterShape, 'float32');
    const pointers = [x, dy, out].map((info) => tensorPointer(wasm, info));
    const sizes = [batchSize, inHeight, inWidth, inChannels, outChannels / inChannels];
    const { depthwiseFilter } = convGradientModule.exports(wasm);
    depthwiseFilter(...pointers, scratch, scratch + 4 * size, ...sizes, ...windowOf(info));
    return out;
  });
};
