import { elementwiseBinaries } from '../generated/elementwise';
import { defineWasmModule, tensorPointer, type WasmBackend } from '../wasm/index';
import { type Replacement, sizeOf } from './replacement';

const module = /* @__PURE__ */ defineWasmModule<'exp' | 'tanh' | 'erf'>(elementwiseBinaries);

/** tfjs's kernel of a function of each element, four at a time; tfjs calls the scalar function of its C library. */
const elementwise =
  (name: 'exp' | 'tanh' | 'erf'): Replacement =>
  (stock) =>
  (call) => {
    const x = call.inputs.x!;
    if (x.dtype !== 'float32') return stock!(call);
    const wasm = call.backend as WasmBackend;
    const kernel = module.exports(wasm)[name];
    const out = wasm.makeOutput(x.shape, 'float32');
    kernel(tensorPointer(wasm, x), tensorPointer(wasm, out), sizeOf(x));
    return out;
  };

/** `tf.exp`: 0 where the result would be subnormal. */
export const exp = /* @__PURE__ */ elementwise('exp');
export const tanh = /* @__PURE__ */ elementwise('tanh');
/** `tf.erf`, with the digits that tfjs's approximation lacks: relative error <= 2e-7 against an absolute one of 1.5e-7. */
export const erf = /* @__PURE__ */ elementwise('erf');
