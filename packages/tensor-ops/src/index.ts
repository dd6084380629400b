export type { AxisContract, AxisSizes, BoundAxes, TensorOf, TensorsOf } from './axes';
export { bindShapes } from './bind-shapes';
export { checkOptions, type OptionRule } from './check-options';
export type { BackendName, BackendReport, InitBackendOptions } from './devices/backend-report';
export { initBackend } from './devices/init-backend';
export { DTypeError, OptionError, ShapeError } from './errors';
export { defineOperator } from './operator/define-operator';
export { implementationOf, withImplementation } from './operator/implementation';
export type { ImplementationForm } from './operator/registry';
export type {
  AnyOperator,
  Attributes,
  ComposeCall,
  FusedKernel,
  Implementation,
  KernelCall,
  Operator,
  OperatorSpec,
} from './operator/types';
export {
  defineWasmModule,
  setWasmBuild,
  tensorPointer,
  type WasmBackend,
  type WasmBuild,
  type WasmExports,
  type WasmModule,
  wasmBuild,
  withScratch,
} from './wasm/index';
export { enableWasmKernels, type WasmReport } from './wasm-kernels/enable-wasm-kernels';
export { runProgram } from './webgpu/run-program';
export { type WebGpuBackend, webGpuBackend } from './webgpu/web-gpu-backend';
export type { WebGpuOutput, WebGpuProgram, WebGpuUniform } from './webgpu/web-gpu-program';
