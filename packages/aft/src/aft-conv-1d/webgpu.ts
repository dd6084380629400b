export { webgpuConv as webgpuAftConv1d, webgpuConvBackward as webgpuAftConv1dBackward } from '../conv-grid/webgpu';
