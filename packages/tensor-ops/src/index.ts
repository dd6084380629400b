export type { AxisContract, TensorOf, TensorsOf } from './axes';
export { type AxisSizes, bindShapes } from './bind-shapes';
export { checkOptions, type OptionRule } from './check-options';
export { DTypeError, OptionError, ShapeError } from './errors';
export { defineOperator } from './operator/define-operator';
export { implementationOf, withImplementation } from './operator/implementation';
export { type ImplementationForm, registry } from './operator/registry';
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
