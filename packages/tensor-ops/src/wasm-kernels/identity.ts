import type { WasmBackend } from '../wasm/index';
import { type Replacement, sameData } from './replacement';

/**
 * tfjs's kernel `Identity`, behind `tf.clone` and every tensor that is saved for a gradient: the data are shared, as on tfjs's other backends, where its
 * WASM one copies them. They are freed with the last tensor that has them.
 */
export const identity: Replacement = (stock) => (call) => {
  const x = call.inputs.x!;
  if (x.dtype === 'string') return stock!(call);
  return sameData(call.backend as WasmBackend, x, x.shape);
};
