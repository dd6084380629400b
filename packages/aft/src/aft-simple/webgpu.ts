export { webgpuAftSimpleCausal } from './webgpu-causal';
export { webgpuAftSimpleCausalBackward } from './webgpu-causal-backward';
export { webgpuAftSimple, webgpuAftSimpleBackward } from './webgpu-global';
