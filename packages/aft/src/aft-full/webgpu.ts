export { webgpuAftFullBackward } from './webgpu-backward';
export { webgpuAftFull } from './webgpu-forward';
