export { type AdamWState, type AdamWStepOptions, adamWOperator, adamWState, adamWStep } from './adam-w/adam-w';
export { sumOfPairs, whereAttended } from './attention/pairs';
export type { AxisContract, AxisSizes, BoundAxes, TensorOf, TensorsOf } from './axes';
export { bindShapes } from './bind-shapes';
export { checkOptions, type OptionRule } from './check-options';
export { checkTensor } from './check-tensor';
export {
  type CumulativeSumOptions,
  cumulativeSum,
  cumulativeSumBackwardOperator,
  cumulativeSumOperator,
} from './cumulative-sum/cumulative-sum';
export {
  type DepthwiseConv1dOptions,
  depthwiseConv1d,
  depthwiseConv1dBackwardOperator,
  depthwiseConv1dOperator,
} from './depthwise-conv/depthwise-conv-1d';
export {
  type DepthwiseConv2dOptions,
  depthwiseConv2d,
  depthwiseConv2dBackwardOperator,
  depthwiseConv2dOperator,
} from './depthwise-conv/depthwise-conv-2d';
export type { BackendName, BackendReport, InitBackendOptions } from './devices/backend-report';
export { initBackend } from './devices/init-backend';
export { recoverWebGpuDevice } from './devices/web-gpu-device';
export { type DropoutOptions, dropout, dropoutBackwardOperator, dropoutOperator } from './dropout/dropout';
export { type DropoutAttributes, type DropoutPlan, dropoutPlan, randomBits } from './dropout/random-bits';
export { randomBitsCode } from './dropout/random-bits-code';
export { embedding, embeddingBackwardOperator, embeddingOperator } from './embedding/embedding';
export { DeviceLostError, DTypeError, OptionError, ShapeError } from './errors';
export type { Array64, Matrix64, Nested64, Tensor64 } from './float64/array64';
export { type Cp64, cpDecompose64 } from './float64/cp-decompose64';
export { type LeastSquares64, leastSquares64 } from './float64/least-squares64';
export { logdet64 } from './float64/logdet64';
export { type Qr64, qr64 } from './float64/qr64';
export { type Svd64, svd64 } from './float64/svd64';
export { type Tucker64, tuckerDecompose64 } from './float64/tucker-decompose64';
export { type GeluApproximation, gelu, geluBackwardOperator, geluOperator } from './gelu/gelu';
export { globalNorm, globalNormOperator } from './global-norm/global-norm';
export { layerNorm, layerNormBackwardOperator, layerNormOperator } from './layer-norm/layer-norm';
export { logSumExp, logSumExpBackwardOperator, logSumExpOperator } from './log-sum-exp/log-sum-exp';
export { type MatMulOptions, matMul, matMulBackwardOperator, matMulOperator } from './mat-mul/mat-mul';
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
export { rmsNorm, rmsNormBackwardOperator, rmsNormOperator } from './rms-norm/rms-norm';
export {
  type RotaryEmbeddingOptions,
  rotaryEmbedding,
  rotaryEmbeddingBackwardOperator,
  rotaryEmbeddingOperator,
} from './rotary-embedding/rotary-embedding';
export type { RotaryPairing } from './rotary-embedding/rotation-table';
export { softmax, softmaxBackwardOperator, softmaxOperator } from './softmax/softmax';
export {
  softmaxCrossEntropy,
  softmaxCrossEntropyBackwardOperator,
  softmaxCrossEntropyOperator,
  softmaxCrossEntropyTargetsBackwardOperator,
  softmaxCrossEntropyTargetsOperator,
} from './softmax-cross-entropy/softmax-cross-entropy';
export { checkTensorData, exportTensor, type TensorData } from './streaming/tensor-data';
export { contract } from './tensor-algebra/contract';
export { type ContractionPath, contractionPath } from './tensor-algebra/contraction-path';
export { type CpTensor, cpToTensor } from './tensor-algebra/cp-to-tensor';
export { einsum } from './tensor-algebra/einsum';
export { khatriRao } from './tensor-algebra/khatri-rao';
export { kronecker } from './tensor-algebra/kronecker';
export { dematricize, matricize } from './tensor-algebra/matricize';
export { modeProduct } from './tensor-algebra/mode-product';
export { outer } from './tensor-algebra/outer';
export { einsumPairBackwardOperator, einsumPairOperator } from './tensor-algebra/pair-operator';
export { rearrangeBackwardOperator, rearrangeOperator } from './tensor-algebra/rearrange-operator';
export { einsumReduceBackwardOperator, einsumReduceOperator } from './tensor-algebra/reduce-operator';
export { type TuckerTensor, tuckerToTensor } from './tensor-algebra/tucker-to-tensor';
export { fold, unfold } from './tensor-algebra/unfold';
export {
  defineWasmModule,
  type PlacedTensors,
  placeTensors,
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
export { matrixProduct as wasmMatrixProduct } from './wasm-kernels/matrix-product';
export { acceptsBindings } from './webgpu/accepts-bindings';
export { ATTENTION_TILE, addWeighed, declareAttention, multiplyRows, storeWeights } from './webgpu/attention-code';
export { deviceLost } from './webgpu/device-loss';
export { declareSums, declareTiles, type GemmCode, type GemmOperand, multiplyTiles } from './webgpu/gemm-code';
export { type GemmPlan, type GemmSize, type GemmTile, planGemm, workgroupBytesOf } from './webgpu/gemm-tile';
export { type GemmProgram, runGemm } from './webgpu/run-gemm';
export { runProgram } from './webgpu/run-program';
export { type KernelTime, type KernelTimes, timeKernels } from './webgpu/time-kernels';
export { type WebGpuBackend, webGpuBackend } from './webgpu/web-gpu-backend';
export type { WebGpuFeature, WebGpuOutput, WebGpuProgram, WebGpuUniform } from './webgpu/web-gpu-program';
