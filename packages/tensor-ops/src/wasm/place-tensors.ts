import type { TensorInfo } from '@tensorflow/tfjs-core';
import { tensorPointer, type WasmBackend } from './wasm-backend';

/** The tensors of a call on tfjs's heap. */
export interface PlacedTensors {
  /** The outputs, by name; what they hold is undefined. */
  readonly outputs: Record<string, TensorInfo>;
  /** The address of the input, or else the output, of that name; 0 if the call has none. */
  addressOf(name: string): number;
}

/** Makes the outputs of a call, float32, and tells where its tensors stand. */
export function placeTensors(
  wasm: WasmBackend,
  {
    inputs,
    outputShapes,
  }: {
    readonly inputs: Readonly<Record<string, TensorInfo | undefined>>;
    readonly outputShapes: Readonly<Record<string, number[]>>;
  },
): PlacedTensors {
  const outputs: Record<string, TensorInfo> = {};
  for (const [name, shape] of Object.entries(outputShapes)) outputs[name] = wasm.makeOutput(shape, 'float32');
  const addressOf = (name: string) => {
    const tensor = inputs[name] ?? outputs[name];
    return tensor ? tensorPointer(wasm, tensor) : 0;
  };
  return { outputs, addressOf };
}
