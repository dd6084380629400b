export { wasmConv as wasmAftConv1d, wasmConvBackward as wasmAftConv1dBackward } from '../conv-grid/wasm';
